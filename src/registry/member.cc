#include "registry/member.h"

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

Result<std::unique_ptr<Member>> Member::open(const RegistryOptions& options) {
  const store::Options store_options{.directory = options.data_dir,
                                     .identity = {.cluster_id = random_id(), .member_id = random_id()},
                                     .now_ms = now_ms(),
                                     .quota_bytes = options.quota_bytes,
                                     .txn_ops_max = options.txn_ops_max};
  Result<std::unique_ptr<store::Store>> store = store::Store::open(store_options);
  if (!store) return std::move(store).error();
  std::int64_t revision = 0;
  {
    const Result<store::ReadView> view = (*store)->read();
    if (!view) return view.error();
    revision = view->revision();
  }
  return std::unique_ptr<Member>(new Member(options, *std::move(store), revision));
}

Member::Member(const RegistryOptions& options, std::unique_ptr<store::Store> store, std::int64_t revision)
    : options_(options),
      log_(options_.log),
      store_(std::move(store)),
      identity_(store_->identity()),
      hub_(revision),
      writer_(*store_, hub_, log_) {}

Member::~Member() { stop(); }

std::vector<std::string> Member::client_urls() const {
  std::lock_guard lock(mutex_);
  return client_urls_;
}

void Member::set_client_urls(std::vector<std::string> urls) {
  std::lock_guard lock(mutex_);
  client_urls_ = std::move(urls);
}

void Member::fill(etcdserverpb::ResponseHeader* header, std::int64_t revision) const {
  header->set_cluster_id(identity_.cluster_id);
  header->set_member_id(identity_.member_id);
  header->set_revision(revision);
  header->set_raft_term(kRaftTerm);
}

}  // namespace minigrpc::registry
