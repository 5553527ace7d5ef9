// member list, add, remove, update, promote. The outputs are etcdctl's.
#include <charconv>
#include <memory>

#include "etcd/api/cluster.minigrpc.h"
#include "header_text.h"
#include "invocation.h"
#include "json_object.h"
#include "registry_call.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

using Cluster = etcdserverpb::Cluster::Client;
using ClusterCalls = RegistryCalls<Cluster>;

struct MemberFlags {
  std::string peer_urls;
  bool learner = false;
};

std::string member_json(const etcdserverpb::Member& member) {
  const std::vector<std::string> peer_urls(member.peerurls().begin(), member.peerurls().end());
  const std::vector<std::string> client_urls(member.clienturls().begin(), member.clienturls().end());
  JsonObject object;
  object.number_unless_zero("ID", member.id()).string_unless_empty("name", member.name());
  object.strings_unless_empty("peerURLs", peer_urls).strings_unless_empty("clientURLs", client_urls);
  return object.flag_if_set("isLearner", member.islearner()).text();
}

// `text` in the simple format; the others show the members as they are now.
template <class Response>
int print(Invocation& invocation, const Response& response, const std::string& text,
          const etcdserverpb::Member* changed = nullptr) {
  std::ostream& out = invocation.out();
  switch (invocation.format()) {
    case OutputFormat::kProtobuf:
      out << response.SerializeAsString();
      break;
    case OutputFormat::kJson: {
      JsonList members;
      for (const etcdserverpb::Member& member : response.members()) members.add(member_json(member));
      JsonObject object;
      object.json("header", header_json(response.header()));
      if (changed != nullptr) object.json("member", member_json(*changed));
      if (!members.empty()) object.json("members", members.text());
      out << object.text() << "\n";
      break;
    }
    case OutputFormat::kFields:
      out << header_fields(response.header());
      for (const etcdserverpb::Member& member : response.members())
        out << "\"ID\" : " << member.id() << "\n\"Name\" : " << go_quoted(member.name()) << "\n";
      break;
    case OutputFormat::kSimple:
    case OutputFormat::kTable:
      out << text;
      break;
  }
  return 0;
}

// Sixteen columns, as etcdctl has it: a shorter number stands to the right.
std::string id_column(std::uint64_t id) {
  const std::string digits = hexadecimal(id);
  return std::string(16 - digits.size(), ' ') + digits;
}

// "Member 8e9e05c52164694d removed from cluster cdf818194e3a8c32".
std::string sentence(std::uint64_t member, std::string_view what, const etcdserverpb::ResponseHeader& header) {
  return "Member " + id_column(member) + " " + std::string(what) + " cluster " + id_column(header.cluster_id()) + "\n";
}

int member_list(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 0) return invocation.fail(Exit::kBadArguments, "member list takes no argument");
  Result<etcd::MemberListResponse> response = sync_wait(invocation.client().MemberList());
  if (!response) return invocation.fail(response.error());
  invocation.printer().members(*response);
  return 0;
}

// What the new member is started with, as etcdctl tells it.
std::string settings_for(const etcdserverpb::MemberAddResponse& response, const std::string& name,
                         const std::string& peer_urls) {
  std::vector<std::string> cluster;
  for (const etcdserverpb::Member& member : response.members())
    for (const std::string& url : member.peerurls())
      cluster.push_back((member.id() == response.member().id() ? name : member.name()) + "=" + url);
  return "\nETCD_NAME=" + go_quoted(name) + "\nETCD_INITIAL_CLUSTER=" + go_quoted(joined(cluster, ",")) +
         "\nETCD_INITIAL_ADVERTISE_PEER_URLS=" + go_quoted(peer_urls) +
         "\nETCD_INITIAL_CLUSTER_STATE=\"existing\"\n";
}

template <class Urls>
void split_urls(std::string_view text, Urls* urls) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    *urls->Add() = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
}

int member_add(Invocation& invocation, const MemberFlags& flags, const Arguments& arguments) {
  if (arguments.size() == 0) return invocation.fail(Exit::kBadArguments, "member name not provided");
  if (arguments.size() > 1) return invocation.fail(Exit::kBadArguments, "too many arguments");
  if (flags.peer_urls.empty()) return invocation.fail(Exit::kBadArguments, "member peer urls not provided");
  etcdserverpb::MemberAddRequest request;
  split_urls(flags.peer_urls, request.mutable_peerurls());
  for (const std::string& url : request.peerurls())
    if (url.find("://") == std::string::npos)
      return invocation.fail(Exit::kError, "URL scheme must be http, https, unix, or unixs: " + url);
  request.set_islearner(flags.learner);
  const auto response = ClusterCalls(invocation).ask(&Cluster::MemberAdd, request);
  if (!response) return invocation.fail(response.error());
  return print(invocation, *response,
               sentence(response->member().id(), "added to", response->header()) +
                   settings_for(*response, arguments[0], flags.peer_urls),
               &response->member());
}

// The member that the only argument names; nullopt when that failed, and `exit` is what to end with.
std::optional<std::uint64_t> member_argument(Invocation& invocation, const Arguments& arguments, int& exit) {
  std::uint64_t id = 0;
  if (arguments.size() != 1) {
    exit = invocation.fail(Exit::kBadArguments, "member ID is not provided");
    return std::nullopt;
  }
  const std::string& text = arguments[0];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (error == std::errc() && end == text.data() + text.size()) return id;
  exit = invocation.fail(Exit::kBadArguments, "bad member ID arg (" + text + "), expecting ID in Hex");
  return std::nullopt;
}

int member_remove(Invocation& invocation, const Arguments& arguments) {
  int exit = 0;
  const std::optional<std::uint64_t> id = member_argument(invocation, arguments, exit);
  if (!id) return exit;
  etcdserverpb::MemberRemoveRequest request;
  request.set_id(*id);
  const auto response = ClusterCalls(invocation).ask(&Cluster::MemberRemove, request);
  if (!response) return invocation.fail(response.error());
  return print(invocation, *response, sentence(*id, "removed from", response->header()));
}

int member_update(Invocation& invocation, const MemberFlags& flags, const Arguments& arguments) {
  int exit = 0;
  const std::optional<std::uint64_t> id = member_argument(invocation, arguments, exit);
  if (!id) return exit;
  if (flags.peer_urls.empty()) return invocation.fail(Exit::kBadArguments, "member peer urls not provided");
  etcdserverpb::MemberUpdateRequest request;
  request.set_id(*id);
  split_urls(flags.peer_urls, request.mutable_peerurls());
  const auto response = ClusterCalls(invocation).ask(&Cluster::MemberUpdate, request);
  if (!response) return invocation.fail(response.error());
  return print(invocation, *response, sentence(*id, "updated in", response->header()));
}

int member_promote(Invocation& invocation, const Arguments& arguments) {
  int exit = 0;
  const std::optional<std::uint64_t> id = member_argument(invocation, arguments, exit);
  if (!id) return exit;
  etcdserverpb::MemberPromoteRequest request;
  request.set_id(*id);
  const auto response = ClusterCalls(invocation).ask(&Cluster::MemberPromote, request);
  if (!response) return invocation.fail(response.error());
  return print(invocation, *response, sentence(*id, "promoted in", response->header()));
}

}  // namespace

Verb member_list_verb() {
  Verb verb{.path = "member list", .arguments = "", .summary = "List the members of the registry"};
  verb.description =
      "Each line: ID, status, name, peer addresses, client addresses, whether it is a learner.";
  verb.examples = "minigrpc member list -w table";
  verb.has_table = true;
  verb.has_protobuf = true;
  verb.run = member_list;
  return verb;
}

Verb member_add_verb() {
  auto flags = std::make_shared<MemberFlags>();
  Verb verb{.path = "member add", .arguments = "<name>", .summary = "Add a member to an etcd cluster"};
  verb.description = "Prints what the new member is started with. minigrpcd has one member, and says so.";
  verb.examples = "minigrpc member add second --peer-urls http://10.0.0.2:2380";
  verb.has_protobuf = true;
  verb.flags.add("learner", &flags->learner, "it does not vote until it is promoted");
  verb.flags.add("peer-urls", &flags->peer_urls, "where the others reach it; separated by commas");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return member_add(invocation, *flags, arguments);
  };
  return verb;
}

Verb member_remove_verb() {
  Verb verb{
      .path = "member remove", .arguments = "<memberID>", .summary = "Remove a member from an etcd cluster"};
  verb.examples = "minigrpc member remove 8e9e05c52164694d";
  verb.has_protobuf = true;
  verb.run = member_remove;
  return verb;
}

Verb member_update_verb() {
  auto flags = std::make_shared<MemberFlags>();
  Verb verb{.path = "member update", .arguments = "<memberID>", .summary = "Change a member's peer URLs"};
  verb.examples = "minigrpc member update 8e9e05c52164694d --peer-urls http://10.0.0.2:2380";
  verb.has_protobuf = true;
  verb.flags.add("peer-urls", &flags->peer_urls, "where the others reach it; separated by commas");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return member_update(invocation, *flags, arguments);
  };
  return verb;
}

Verb member_promote_verb() {
  Verb verb{.path = "member promote",
            .arguments = "<memberID>",
            .summary = "Let a learner of an etcd cluster vote"};
  verb.examples = "minigrpc member promote 8e9e05c52164694d";
  verb.has_protobuf = true;
  verb.run = member_promote;
  return verb;
}

}  // namespace minigrpc::cli
