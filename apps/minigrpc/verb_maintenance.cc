// alarm list, alarm disarm, defrag, move-leader. The outputs are etcdctl's.
#include <charconv>
#include <memory>
#include <optional>

#include "endpoints.h"
#include "etcd/api/maintenance.minigrpc.h"
#include "header_text.h"
#include "invocation.h"
#include "json_object.h"
#include "registry_call.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

using MaintenanceClient = etcdserverpb::Maintenance::Client;

using MaintenanceCalls = RegistryCalls<MaintenanceClient>;

void print_alarms(Invocation& invocation, const etcdserverpb::AlarmResponse& response) {
  if (invocation.format() == OutputFormat::kProtobuf) {
    invocation.out() << response.SerializeAsString();
    return;
  }
  if (invocation.format() != OutputFormat::kJson) {
    for (const etcdserverpb::AlarmMember& alarm : response.alarms())
      invocation.out() << "memberID:" << alarm.memberid()
                       << " alarm:" << etcdserverpb::AlarmType_Name(alarm.alarm()) << " \n";
    return;
  }
  JsonList alarms;
  for (const etcdserverpb::AlarmMember& alarm : response.alarms()) {
    JsonObject object;
    object.number_unless_zero("memberID", alarm.memberid());
    alarms.add(object.number_unless_zero("alarm", static_cast<int>(alarm.alarm())).text());
  }
  JsonObject object;
  if (response.has_header()) object.json("header", header_json(response.header()));
  if (!alarms.empty()) object.json("alarms", alarms.text());
  invocation.out() << object.text() << "\n";
}

int alarm_list(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 0) return invocation.fail(Exit::kBadArguments, "alarm list command accepts no arguments");
  MaintenanceCalls calls(invocation);
  const etcdserverpb::AlarmRequest request;
  const auto response = calls.ask(&MaintenanceClient::Alarm, request);
  if (!response) return invocation.fail(response.error());
  print_alarms(invocation, *response);
  return 0;
}

// Disarms each alarm that there is, and prints those.
int alarm_disarm(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 0) return invocation.fail(Exit::kBadArguments, "alarm disarm command accepts no arguments");
  MaintenanceCalls calls(invocation);
  etcdserverpb::AlarmRequest request;
  auto response = calls.ask(&MaintenanceClient::Alarm, request);
  if (!response) return invocation.fail(response.error());
  request.set_action(etcdserverpb::AlarmRequest::DEACTIVATE);
  for (const etcdserverpb::AlarmMember& alarm : response->alarms()) {
    request.set_memberid(alarm.memberid());
    request.set_alarm(alarm.alarm());
    const auto disarmed = calls.ask(&MaintenanceClient::Alarm, request);
    if (!disarmed) return invocation.fail(disarmed.error());
  }
  print_alarms(invocation, *response);
  return 0;
}

int defrag(Invocation& invocation, bool cluster, const Arguments&) {
  Result<std::vector<std::string>> endpoints = wanted_endpoints(invocation, cluster);
  if (!endpoints) return invocation.fail(endpoints.error());
  int exit = 0;
  for (const std::string& endpoint : *endpoints) {
    const etcdserverpb::DefragmentRequest request;
    const Status status = MaintenanceCalls(invocation, endpoint).ask(&MaintenanceClient::Defragment, request).status();
    if (status.ok()) {
      invocation.out() << "Finished defragmenting etcd member[" << endpoint << "]\n";
      continue;
    }
    invocation.err() << "Failed to defragment etcd member[" << endpoint << "] (" << status.message() << ")\n";
    exit = static_cast<int>(Exit::kError);
  }
  return exit;
}

std::optional<std::uint64_t> parse_member_id(const std::string& text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

// The leader itself must be asked.
int move_leader(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1) return invocation.fail(Exit::kBadArguments, "move-leader command needs 1 argument");
  const std::optional<std::uint64_t> target = parse_member_id(arguments[0]);
  if (!target) return invocation.fail(Exit::kBadArguments, "bad member ID " + arguments[0] + ": it is hexadecimal");
  for (const std::string& endpoint : invocation.globals().endpoints) {
    MaintenanceCalls calls(invocation, endpoint);
    const etcdserverpb::StatusRequest ask;
    const auto status = calls.ask(&MaintenanceClient::Status, ask);
    if (!status) return invocation.fail(status.error());
    if (status->header().member_id() != status->leader()) continue;
    etcdserverpb::MoveLeaderRequest request;
    request.set_targetid(*target);
    const auto moved = calls.ask(&MaintenanceClient::MoveLeader, request);
    if (!moved) return invocation.fail(moved.error());
    invocation.out() << "Leadership transferred from " << hexadecimal(status->leader()) << " to "
                     << hexadecimal(*target) << "\n";
    return 0;
  }
  return invocation.fail(Exit::kBadArguments,
                         "no leader endpoint given at [" + joined(invocation.globals().endpoints, " ") + "]");
}

}  // namespace

Verb alarm_list_verb() {
  Verb verb{.path = "alarm list", .arguments = "", .summary = "List the alarms"};
  verb.examples = "minigrpc alarm list";
  verb.has_protobuf = true;
  verb.run = alarm_list;
  return verb;
}

Verb alarm_disarm_verb() {
  Verb verb{.path = "alarm disarm", .arguments = "", .summary = "Disarm every alarm"};
  verb.examples = "minigrpc alarm disarm";
  verb.has_protobuf = true;
  verb.run = alarm_disarm;
  return verb;
}

Verb defrag_verb() {
  auto cluster = std::make_shared<bool>(false);
  Verb verb{.path = "defrag", .arguments = "", .summary = "Give free space of each endpoint's database back"};
  verb.examples = "minigrpc defrag --cluster";
  verb.flags.add("cluster", cluster.get(), "all members, not only --endpoints");
  verb.run = [cluster](Invocation& invocation, const Arguments& arguments) {
    return defrag(invocation, *cluster, arguments);
  };
  return verb;
}

Verb move_leader_verb() {
  Verb verb{.path = "move-leader", .arguments = "<member>", .summary = "Make another member the leader"};
  verb.description = "Of an etcd cluster; one of --endpoints must be the leader now.";
  verb.examples = "minigrpc move-leader 8e9e05c52164694d";
  verb.run = move_leader;
  return verb;
}

}  // namespace minigrpc::cli
