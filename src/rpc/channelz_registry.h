// Registry: the channels, servers and sockets of one runtime, by their ids, for who looks into it by channelz
// (gRPC A14).
//
//   channel ─▶ subchannel ─▶ socket          server ─▶ socket
//                                                  └─▶ listening socket
//
// Each is an entity inside its owner, from join() until leave() or the owner's end. Whoever reads does so
// under the registry's lock, so an entity may lend what its owner has: nothing is copied, or kept, before
// somebody asks.
//
// Thread rule: any thread, but where it says otherwise.
#pragma once

#include <minigrpc/channel.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/transport.h"
#include "rpc/channelz_counters.h"
#include "rpc/channelz_trace.h"

namespace minigrpc::rpc::channelz {

class Group;
class Registry;

enum class Kind : std::uint8_t { kChannel, kSubchannel, kServer, kSocket, kListeningSocket };

class Entity {
 public:
  explicit Entity(Kind kind) : kind_(kind) {}
  ~Entity() { leave(); }
  Entity(const Entity&) = delete;
  Entity& operator=(const Entity&) = delete;

  Kind kind() const { return kind_; }
  // 0 before it has joined.
  std::int64_t id() const { return id_; }
  // Nobody reads it afterwards: before what it lends goes. Again does nothing.
  void leave();

 private:
  friend class Registry;
  friend class EntityList;
  const Kind kind_;
  std::int64_t id_ = 0;
  Registry* registry_ = nullptr;  // where it has joined
  // Under the registry's lock:
  class EntityList* list_ = nullptr;  // null: of a parent that has left
  Entity* next_ = nullptr;
  Entity* previous_ = nullptr;
};

// Entities in the order in which they joined, that of their ids. Under the registry's lock.
class EntityList {
 public:
  void append(Entity& entity);
  void remove(Entity& entity);
  Entity* first() const { return first_; }
  static Entity* next(const Entity& entity) { return entity.next_; }

 private:
  Entity* first_ = nullptr;
  Entity* last_ = nullptr;
};

// A channel, a subchannel or a server.
class Group final : public Entity {
 public:
  // `calls` are borrowed until it has left; what channelz shows is their sum.
  Group(Kind kind, std::string name, std::vector<const CallCounters*> calls, TimePoint now);
  // Before the owner of anything that they lend goes.
  ~Group() { leave(); }

  const std::string& name() const { return name_; }
  ChannelState state() const { return state_.load(std::memory_order_relaxed); }
  // Into the trace too, with `why` where it is a failure, if it is another one.
  void set_state(ChannelState state, const Status& why, TimePoint now);
  Trace& trace() { return trace_; }

 private:
  friend class Registry;
  const std::string name_;
  const std::vector<const CallCounters*> calls_;
  std::atomic<ChannelState> state_{ChannelState::kIdle};
  Trace trace_;
  // Under the registry's lock:
  EntityList children_;  // subchannels of a channel, listening sockets of a server
  EntityList sockets_;   // connections
};

// One connection.
class Socket final : public Entity {
 public:
  enum class Side : std::uint8_t { kClient, kServer };

  // `transport` and `peer_name` are borrowed until it has left.
  Socket(Side side, const net::Transport& transport, const std::string& peer_name);
  ~Socket() { leave(); }

  SocketCounters counters;  // its loop's

 private:
  friend class Registry;
  const Side side_;
  const net::Transport& transport_;
  const std::string& peer_name_;
  const std::unique_ptr<const net::TlsFacts> tls_;  // null in cleartext
};

class ListeningSocket final : public Entity {
 public:
  explicit ListeningSocket(net::SocketAddress address)
      : Entity(Kind::kListeningSocket), address_(std::move(address)) {}
  ~ListeningSocket() { leave(); }

 private:
  friend class Registry;
  const net::SocketAddress address_;
};

// ---- what a reader is told ----

struct Reference {
  std::int64_t id = 0;
  std::string name;
};

struct CallsView {
  std::uint64_t started = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  TimePoint last_started{};  // TimePoint() for never
};

struct GroupView {
  Reference reference;
  ChannelState state = ChannelState::kIdle;  // of a channel or subchannel
  CallsView calls;
  TraceView trace;
  std::vector<Reference> children;  // subchannels of a channel, listening sockets of a server
  std::vector<Reference> sockets;   // of a subchannel
};

struct AddressView {
  enum class Family : std::uint8_t { kTcp, kUnix, kInProcess };
  Family family = Family::kTcp;
  std::string name;  // 4 or 16 bytes of TCP; a path, '@' first in the abstract namespace; "in-process:…"
  std::uint16_t port = 0;
};

struct SocketView {
  struct Tls {
    std::string cipher_suite;
    std::string local_certificate;  // DER; empty: none
    std::string peer_certificate;
  };
  Reference reference;
  bool listening = false;
  Socket::Side side = Socket::Side::kServer;
  SocketCounts counts;
  std::optional<AddressView> local;
  std::optional<AddressView> peer;
  std::optional<Tls> tls;
  std::optional<net::SocketOptions> options;
};

template <class T>
struct Page {
  std::vector<T> entries;
  bool end = true;  // nothing follows
};

class Registry {
 public:
  // Gives `entity` its id. `parent`, which has joined, may leave before it; null for channels and servers.
  void join(Entity& entity, Group* parent);
  void leave(Entity& entity);

  // The first `count_max` with ids from `start` on.
  Page<GroupView> channels(std::int64_t start, std::size_t count_max) const;
  Page<GroupView> servers(std::int64_t start, std::size_t count_max) const;
  // None: there is no such thing of that kind.
  std::optional<Page<Reference>> server_sockets(std::int64_t server, std::int64_t start,
                                                std::size_t count_max) const;
  std::optional<GroupView> find_group(Kind kind, std::int64_t id) const;
  enum class Detail : std::uint8_t { kSummary, kWithOptions };
  std::optional<SocketView> find_socket(std::int64_t id, Detail detail) const;

 private:
  // Under the lock:
  EntityList& list_for(const Entity& entity, Group* parent);
  static Page<GroupView> page_of(const EntityList& list, std::int64_t start, std::size_t count_max);
  static GroupView view(const Group& group);
  static SocketView view(const Socket& socket, Detail detail);
  static Reference reference_to(const Entity& entity);
  static std::vector<Reference> references_in(const EntityList& list);
  static void orphan(EntityList& list);
  const Entity* find(std::int64_t id) const;

  mutable std::mutex mutex_;
  std::int64_t latest_id_ = 0;
  std::unordered_map<std::int64_t, Entity*> by_id_;
  EntityList channels_;
  EntityList servers_;
};

}  // namespace minigrpc::rpc::channelz
