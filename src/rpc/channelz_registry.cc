#include "rpc/channelz_registry.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "net/address.h"

namespace minigrpc::rpc::channelz {

// ---- entities ----

void Entity::leave() {
  if (Registry* registry = std::exchange(registry_, nullptr)) registry->leave(*this);
}

void EntityList::append(Entity& entity) {
  entity.list_ = this;
  entity.previous_ = last_;
  entity.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &entity;
  last_ = &entity;
}

void EntityList::remove(Entity& entity) {
  (entity.previous_ != nullptr ? entity.previous_->next_ : first_) = entity.next_;
  (entity.next_ != nullptr ? entity.next_->previous_ : last_) = entity.previous_;
  entity.list_ = nullptr;
  entity.next_ = entity.previous_ = nullptr;
}

Group::Group(Kind kind, std::string name, std::vector<const CallCounters*> calls, TimePoint now)
    : Entity(kind), name_(std::move(name)), calls_(std::move(calls)), trace_(now) {
  trace_.add({.at = now, .text = "created"});
}

namespace {
const char* name_of(ChannelState state) {
  switch (state) {
    case ChannelState::kIdle:
      return "IDLE";
    case ChannelState::kConnecting:
      return "CONNECTING";
    case ChannelState::kReady:
      return "READY";
    case ChannelState::kTransientFailure:
      return "TRANSIENT_FAILURE";
    case ChannelState::kShutdown:
      return "SHUTDOWN";
  }
  return "";
}
}  // namespace

void Group::set_state(ChannelState state, const Status& why, TimePoint now) {
  if (state_.exchange(state, std::memory_order_relaxed) == state) return;
  TraceEvent event{.at = now, .text = std::string("state ") + name_of(state)};
  if (state == ChannelState::kTransientFailure) {
    event.severity = Severity::kWarning;
    event.text += ": " + why.message();
  }
  trace_.add(std::move(event));
}

Socket::Socket(Side side, const net::Transport& transport, const std::string& peer_name)
    : Entity(Kind::kSocket),
      side_(side),
      transport_(transport),
      peer_name_(peer_name),
      tls_(transport.tls() != nullptr ? std::make_unique<net::TlsFacts>(transport.tls()->facts()) : nullptr) {
}

// ---- coming and going ----

void Registry::join(Entity& entity, Group* parent) {
  std::lock_guard lock(mutex_);
  entity.id_ = ++latest_id_;
  entity.registry_ = this;
  list_for(entity, parent).append(entity);
  by_id_.emplace(entity.id_, &entity);
}

EntityList& Registry::list_for(const Entity& entity, Group* parent) {
  if (parent == nullptr) return entity.kind() == Kind::kServer ? servers_ : channels_;
  return entity.kind() == Kind::kSocket ? parent->sockets_ : parent->children_;
}

void Registry::leave(Entity& entity) {
  std::lock_guard lock(mutex_);
  by_id_.erase(entity.id_);
  if (entity.list_ != nullptr) entity.list_->remove(entity);
  if (entity.kind() == Kind::kSocket || entity.kind() == Kind::kListeningSocket) return;
  auto& group = static_cast<Group&>(entity);
  orphan(group.children_);
  orphan(group.sockets_);
}

void Registry::orphan(EntityList& list) {
  while (Entity* entity = list.first()) list.remove(*entity);
}

// ---- reading ----

const Entity* Registry::find(std::int64_t id) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? found->second : nullptr;
}

Reference Registry::reference_to(const Entity& entity) {
  Reference reference{.id = entity.id_, .name = {}};
  switch (entity.kind()) {
    case Kind::kChannel:
    case Kind::kSubchannel:
    case Kind::kServer:
      reference.name = static_cast<const Group&>(entity).name_;
      break;
    case Kind::kSocket:
      reference.name = static_cast<const Socket&>(entity).peer_name_;
      break;
    case Kind::kListeningSocket:
      reference.name = net::to_string(static_cast<const ListeningSocket&>(entity).address_);
      break;
  }
  return reference;
}

std::vector<Reference> Registry::references_in(const EntityList& list) {
  std::vector<Reference> references;
  for (const Entity* entity = list.first(); entity != nullptr; entity = EntityList::next(*entity))
    references.push_back(reference_to(*entity));
  return references;
}

namespace {
// Those who ended are read first: what is shown never has more ended calls than begun ones.
CallsView sum_of(const std::vector<const CallCounters*>& all) {
  CallsView sum;
  std::uint64_t ended = 0;
  for (const CallCounters* calls : all) {
    ended += calls->ended.get();
    sum.succeeded += calls->succeeded.get();
    sum.started += calls->started.get();
    sum.last_started = std::max(sum.last_started, calls->last_started.get());
  }
  sum.failed = ended - std::min(ended, sum.succeeded);
  return sum;
}
}  // namespace

GroupView Registry::view(const Group& group) {
  return {
      .reference = reference_to(group),
      .state = group.state(),
      .calls = sum_of(group.calls_),
      .trace = group.trace_.view(),
      .children = references_in(group.children_),
      .sockets = group.kind() == Kind::kServer ? std::vector<Reference>() : references_in(group.sockets_)};
}

namespace {
AddressView view_of(const net::SocketAddress& address) {
  using Family = AddressView::Family;
  const sockaddr* raw = address.data();
  const auto bytes_of = [](const auto& ip) {
    return std::string(reinterpret_cast<const char*>(&ip), sizeof ip);
  };
  if (raw->sa_family == AF_INET) {
    const auto& v4 = *reinterpret_cast<const sockaddr_in*>(raw);
    return {.family = Family::kTcp, .name = bytes_of(v4.sin_addr), .port = ntohs(v4.sin_port)};
  }
  if (raw->sa_family == AF_INET6) {
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(raw);
    return {.family = Family::kTcp, .name = bytes_of(v6.sin6_addr), .port = ntohs(v6.sin6_port)};
  }
  constexpr std::string_view kAbstract = "unix-abstract:";
  const std::string name = net::to_string(address);
  if (net::is_in_process(address)) return {.family = Family::kInProcess, .name = name};
  if (name.starts_with(kAbstract))
    return {.family = Family::kUnix, .name = "@" + name.substr(kAbstract.size())};
  return {.family = Family::kUnix, .name = name.substr(name.find(':') + 1)};
}
}  // namespace

SocketView Registry::view(const Socket& socket, Detail detail) {
  const net::Socket& connected = socket.transport_.socket();
  SocketView view{.reference = reference_to(socket),
                  .side = socket.side_,
                  .counts = socket.counters.counts(),
                  .local = {},
                  .peer = {},
                  .tls = {},
                  .options = {}};
  if (const auto address = connected.local_address()) view.local = view_of(*address);
  if (const auto address = connected.peer_address()) view.peer = view_of(*address);
  if (socket.tls_)
    view.tls = {.cipher_suite = std::string(socket.tls_->cipher_suite()),
                .local_certificate = socket.tls_->local_certificate(),
                .peer_certificate = socket.tls_->peer_certificate()};
  if (detail == Detail::kWithOptions) view.options = connected.options();
  return view;
}

Page<GroupView> Registry::page_of(const EntityList& list, std::int64_t start, std::size_t count_max) {
  Page<GroupView> page;
  for (const Entity* entity = list.first(); entity != nullptr; entity = EntityList::next(*entity)) {
    if (entity->id() < start) continue;
    if (page.entries.size() == count_max) return page.end = false, page;
    page.entries.push_back(view(static_cast<const Group&>(*entity)));
  }
  return page;
}

Page<GroupView> Registry::channels(std::int64_t start, std::size_t count_max) const {
  std::lock_guard lock(mutex_);
  return page_of(channels_, start, count_max);
}

Page<GroupView> Registry::servers(std::int64_t start, std::size_t count_max) const {
  std::lock_guard lock(mutex_);
  return page_of(servers_, start, count_max);
}

std::optional<Page<Reference>> Registry::server_sockets(std::int64_t server, std::int64_t start,
                                                        std::size_t count_max) const {
  std::lock_guard lock(mutex_);
  const Entity* found = find(server);
  if (found == nullptr || found->kind() != Kind::kServer) return std::nullopt;
  Page<Reference> page;
  const EntityList& sockets = static_cast<const Group&>(*found).sockets_;
  for (const Entity* entity = sockets.first(); entity != nullptr; entity = EntityList::next(*entity)) {
    if (entity->id() < start) continue;
    if (page.entries.size() == count_max) return page.end = false, page;
    page.entries.push_back(reference_to(*entity));
  }
  return page;
}

std::optional<GroupView> Registry::find_group(Kind kind, std::int64_t id) const {
  std::lock_guard lock(mutex_);
  const Entity* found = find(id);
  if (found == nullptr || found->kind() != kind) return std::nullopt;
  return view(static_cast<const Group&>(*found));
}

std::optional<SocketView> Registry::find_socket(std::int64_t id, Detail detail) const {
  std::lock_guard lock(mutex_);
  const Entity* found = find(id);
  if (found == nullptr) return std::nullopt;
  if (found->kind() == Kind::kSocket) return view(static_cast<const Socket&>(*found), detail);
  if (found->kind() != Kind::kListeningSocket) return std::nullopt;
  SocketView view;
  view.reference = reference_to(*found);
  view.listening = true;
  view.local = view_of(static_cast<const ListeningSocket&>(*found).address_);
  return view;
}

}  // namespace minigrpc::rpc::channelz
