#include "registry/member.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

namespace minigrpc::registry {

std::uint64_t random_id() {
  // Made for each call: a lease's grant costs a commit anyway, and nothing is shared between threads.
  std::random_device device;
  std::uniform_int_distribution<std::int64_t> ids(1, std::numeric_limits<std::int64_t>::max());
  return static_cast<std::uint64_t>(ids(device));
}

namespace {

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

Result<std::unique_ptr<Member>> Member::open(const RegistryOptions& options) {
  const store::Options store_options{.directory = options.data_dir,
                                     .identity = {.cluster_id = random_id(), .member_id = random_id()},
                                     .now_ms = now_ms(),
                                     .fsync = options.fsync,
                                     .quota_bytes = options.quota_bytes,
                                     .txn_ops_max = options.txn_ops_max};
  Result<std::unique_ptr<store::Store>> store = store::Store::open(store_options);
  if (!store) return std::move(store).error();
  std::unique_ptr<Member> member;
  {
    const Result<store::ReadView> view = (*store)->read();
    if (!view) return view.error();
    Result<std::unique_ptr<AuthStore>> auth = AuthStore::open(options, *view);
    if (!auth) return std::move(auth).error();
    member.reset(new Member(options, *std::move(store), view->revision(), *std::move(auth)));
    if (Status status = member->restore(*view); !status.ok()) return status;
  }
  return member;
}

Member::Member(const RegistryOptions& options, std::unique_ptr<store::Store> store, std::int64_t revision,
               std::unique_ptr<AuthStore> auth)
    : options_(options),
      log_(options_.log),
      store_(std::move(store)),
      identity_(store_->identity()),
      peer_urls_(options_.advertise_peer_urls),
      auth_(std::move(auth)),
      hub_(revision),
      writer_(*store_, hub_, counters_, log_) {}

Member::~Member() { stop(); }

std::vector<std::string> Member::client_urls() const {
  std::lock_guard lock(mutex_);
  return client_urls_;
}

void Member::set_client_urls(std::vector<std::string> urls) {
  std::lock_guard lock(mutex_);
  client_urls_ = std::move(urls);
}

std::vector<std::string> Member::peer_urls() const {
  std::lock_guard lock(mutex_);
  return peer_urls_;
}

void Member::set_peer_urls(std::vector<std::string> urls) {
  std::lock_guard lock(mutex_);
  peer_urls_ = std::move(urls);
}

Status Member::restore(const store::ReadView& view) {
  const Result<std::vector<store::Record>> alarms = view.records(kAlarmsRecord);
  if (!alarms) return alarms.error();
  if (!alarms->empty()) alarms_.publish(Alarms::from_bytes(alarms->front().bytes));
  const Result<std::vector<store::Record>> urls = view.records(kPeerUrlsRecord);
  if (!urls) return urls.error();
  if (!urls->empty()) set_peer_urls(split_lines(urls->front().bytes));
  return Status();
}

void Member::fill(etcdserverpb::ResponseHeader* header, std::int64_t revision) const {
  header->set_cluster_id(identity_.cluster_id);
  header->set_member_id(identity_.member_id);
  header->set_revision(revision);
  header->set_raft_term(kRaftTerm);
}

}  // namespace minigrpc::registry
