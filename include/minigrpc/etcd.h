// etcd::Client: the client of the etcd v3 API, which etcd and minigrpcd serve; with it Watcher, LeaseKeeper,
// Session, Mutex and Election.
//
//   etcd::Client client(runtime, "10.0.0.1:2379,10.0.0.2:2379");
//   auto put = sync_wait(client.Put({.key = "greeting", .value = "hello"}));
//   auto got = sync_wait(client.Range({.keys = etcd::KeyRange::prefix("greet")}));
//
// Thread rule: any thread; watchers, keepers, sessions and mutexes are each used by one task at a time, but
// for what says otherwise.
//
// Errors: what the server says is passed on unchanged, code and text ("etcdserver: requested lease not
// found"), with StatusOrigin::kPeer.
#pragma once

#include <minigrpc/channel.h>
#include <minigrpc/etcd_types.h>
#include <minigrpc/runtime.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::etcd {

struct ClientOptions {
  // How long one call may take, its failovers included; the awaiting task's deadline counts as well. 0: no
  // bound.
  std::chrono::milliseconds request_timeout{5000};
  // How long one connection attempt may take.
  std::chrono::milliseconds dial_timeout{2000};
  // Sent with every call.
  Metadata metadata{};
  // How the endpoints without a scheme are secured. "http://" before one means cleartext, "https://" TLS: with these
  // credentials, or where they are none with the system's roots.
  ChannelCredentials credentials{};
  // Who asks, where the server wants to know. The client signs in when a call first needs it, and again whenever the
  // server takes its token for invalid. An empty user does not sign in; the password is in cleartext without TLS.
  std::string user{};
  std::string password{};
  ChannelKeepaliveOptions keepalive{};
};

class ClientImpl;

class Client {
 public:
  // `endpoints`: "host:port[,host:port…]"; each may have "http://" or "https://" in front. Connects when a call
  // needs it; a bad address shows in the calls' status.
  Client(Runtime& runtime, std::string_view endpoints, ClientOptions options = {});
  // Its calls have ended. What was made from it (watchers …) may outlive it, but not the runtime.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Each is one RPC of the same name. A call goes to the endpoint that answered last. On UNAVAILABLE it goes
  // on to the next one, once round; a call that changes something does so only where the failure proves that
  // it was not sent, so that nothing is ever applied twice. Otherwise its outcome is unknown, and UNAVAILABLE
  // says so.
  Task<Result<RangeResponse>> Range(RangeRequest request);
  Task<Result<PutResponse>> Put(PutRequest request);
  Task<Result<DeleteRangeResponse>> DeleteRange(DeleteRangeRequest request);
  Task<Result<TxnResponse>> Txn(TxnRequest request);
  Task<Result<CompactionResponse>> Compact(CompactionRequest request);

  Task<Result<LeaseGrantResponse>> LeaseGrant(LeaseGrantRequest request);
  Task<Result<LeaseRevokeResponse>> LeaseRevoke(LeaseId id);
  // Once; LeaseKeeper does it for as long as needed. A lease that is gone: ttl_s <= 0, not an error.
  Task<Result<LeaseKeepAliveResponse>> LeaseKeepAlive(LeaseId id);
  Task<Result<LeaseTimeToLiveResponse>> LeaseTimeToLive(LeaseTimeToLiveRequest request);
  Task<Result<LeaseLeasesResponse>> LeaseLeases();

  Task<Result<MemberListResponse>> MemberList();
  // Maintenance.Status of that endpoint alone: one of endpoints(). Another one is INVALID_ARGUMENT.
  Task<Result<MemberStatusResponse>> MemberStatus(std::string endpoint);

  // What a call of etcd's API carries that this class has no function for: ClientOptions::metadata, and the token of the
  // user. Signs in where that was not done.
  Task<Result<Metadata>> call_metadata();
  // Whether such a call failed because the token is not good any more: the next call_metadata() has another one.
  bool token_refused(const Status& failure);

  // "host:port" each, as given, without the scheme.
  const std::vector<std::string>& endpoints() const;
  Runtime& runtime() const;

  const std::shared_ptr<ClientImpl>& impl() const { return impl_; }

 private:
  std::shared_ptr<ClientImpl> impl_;
};

// ---- Watch ----

struct WatchOptions {
  KeyRange keys{};
  std::int64_t start_revision = 0;  // the first one wanted; 0: what happens from now on
  // The header of the read that the watch follows on, in the place of start_revision: the watch begins at the
  // revision behind it, and expects the same server, not set back.
  std::optional<ResponseHeader> after{};
  bool prev_kv = false;
  bool no_put = false;
  bool no_delete = false;
  // A stream without a sign of life for that long is asked for progress; without an answer within the same
  // time again the watch moves to the next endpoint.
  std::chrono::milliseconds silence_max{10'000};
};

// What a watch has to say.
struct WatchUpdate {
  enum class Kind : std::uint8_t {
    kEvents,    // `events`, those of whole revisions, in order
    kProgress,  // the keys have no change up to header.revision
    // What happened since revision() is lost: it was compacted, or the server is another one or was set back
    // (an earlier revision, another cluster id). Read the keys again, and pass over events that are not newer
    // than that read: the watch goes on by itself, behind header.revision.
    kResynchronise,
  };
  Kind kind = Kind::kProgress;
  ResponseHeader header{};
  std::vector<WatchEvent> events{};
  // Of kResynchronise: why. OUT_OF_RANGE with etcd's text for compaction, ABORTED for a server that was set
  // back.
  Status reason{};
  std::int64_t compact_revision = 0;  // of a compaction: the first revision that is still there
};

// Watcher: the changes of a key range, from any revision, without a gap, for as long as it lives.
//
//   etcd::Watcher watcher(client, {.keys = etcd::KeyRange::prefix("ProdService/"), .start_revision =
//   read.revision + 1}); while (true) { auto update = co_await watcher.next(); … }
//
// It resumes after a failure at the revision behind the last one it handed out, on another endpoint if need
// be, at once and then with jittered backoff, without end. At most 64 updates wait for next(); then the
// stream stops being read.
class Watcher {
 public:
  Watcher(const Client& client, WatchOptions options);
  // next() must not be awaited any more.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Waits for something new. Fails with CANCELLED or DEADLINE_EXCEEDED when the awaiting task is cancelled or
  // its deadline passes, and can be called again then; and for good with what the server says where trying
  // again cannot help (PERMISSION_DENIED, INVALID_ARGUMENT …).
  Task<Result<WatchUpdate>> next();
  // Asks the server up to which revision it has told all: a kProgress says so soon. Before etcd 3.4.25 and 3.5.8 it may
  // overtake events. From any thread.
  void request_progress();
  // Ends the watch: next() fails with CANCELLED from now on. From any thread.
  void close();
  // Everything up to there was handed to next(). From any thread.
  std::int64_t revision() const;
  // OK while the server has confirmed the watch; otherwise why there is none at the moment. From any thread.
  Status health() const;
  // How often the stream had to be opened again. From any thread.
  std::uint64_t resume_count() const;

 private:
  class State;
  std::shared_ptr<State> state_;
  TaskScope scope_;
};

// ---- Lease ----

struct LeaseKeeperOptions {
  // For each answer, from an event loop: must not block.
  std::function<void(const LeaseKeepAliveResponse&)> on_answer{};
  // What a lease counts for that nobody could renew until its local deadline. A lock's holder must take it
  // for lost; a registration had better go on trying, since a server that was away extends its leases.
  enum class Overdue : std::uint8_t { kLost, kKeepTrying };
  Overdue overdue = Overdue::kLost;
};

// LeaseKeeper: keeps one lease alive, through failures of stream and server, until it is lost or the keeper
// is gone.
//
// One stream, one request each third of the TTL. On a failure it tries again at once, then with jittered
// backoff, on the next endpoint, without end. It does not revoke.
class LeaseKeeper {
 public:
  // `ttl_s` as granted; the lease counts as renewed now.
  LeaseKeeper(const Client& client, LeaseGrantResponse lease, LeaseKeeperOptions options = {});
  ~LeaseKeeper();
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  LeaseId id() const;
  // Until the local deadline, which counts from the sending of the last request that was answered; 0 once it
  // has passed or the lease is lost. From any thread.
  std::chrono::milliseconds remaining() const;
  // Waits for the loss. NOT_FOUND: the server does not know the lease (any more); ABORTED: the local deadline
  // passed. CANCELLED or DEADLINE_EXCEEDED when the awaiting task is cancelled or its deadline passes.
  Task<Status> lost();
  // Ends the renewals; lost() resumes with CANCELLED. No on_answer starts after it. From any thread but
  // on_answer's.
  void stop();

 private:
  class State;
  std::shared_ptr<State> state_;
  TaskScope scope_;
};

// Session: a lease of one's own, kept alive; what it holds is free when the process is gone for longer than
// its TTL. The client must outlive it.
class Session {
 public:
  // Grants the lease: 60 s is what etcd's own clients take.
  static Task<Result<std::unique_ptr<Session>>> open(Client& client, std::int64_t ttl_s = 60);

  LeaseId lease() const { return keeper_.id(); }
  // As LeaseKeeper::lost().
  Task<Status> lost() { return keeper_.lost(); }
  // Stops keeping the lease, and revokes it.
  Task<Status> close();
  Client& client() const { return client_; }

 private:
  Session(Client& client, LeaseGrantResponse lease) : client_(client), keeper_(client, std::move(lease)) {}
  Client& client_;
  LeaseKeeper keeper_;
};

// Mutex: a lock across processes, the same that `etcdctl lock` and etcd's Go package take: the key is
// `<name>/<lease in hexadecimal>`, and the oldest key under `<name>/` holds the lock.
class Mutex {
 public:
  // `session` must outlive the mutex.
  Mutex(Session& session, std::string name);

  // Waits its turn. A failure (CANCELLED, DEADLINE_EXCEEDED, a lost session …) leaves the queue again.
  Task<Status> lock();
  // ABORTED when somebody holds it.
  Task<Status> try_lock();
  Task<Status> unlock();
  // Of the lock held: its key, its creation and the header of the answer that gave it.
  const std::string& key() const { return key_; }
  std::int64_t create_revision() const { return create_revision_; }
  const ResponseHeader& header() const { return header_; }
  // True in a transaction for as long as the lock is held: put it before what the lock protects.
  Compare is_owner() const { return Compare::create_revision_is(key_, create_revision_); }

 private:
  friend class Election;
  Task<Result<bool>> enqueue();
  Task<Status> wait_for_predecessors();
  Task<Status> leave_queue();
  Session& session_;
  std::string name_;
  std::string key_;
  std::string value_;  // of the key: an election's
  std::int64_t create_revision_ = 0;
  ResponseHeader header_;
};

// ---- Election ----

// Election: one leader at a time among those who campaign under a name, and the value that it proclaims; the same that
// `etcdctl elect` and etcd's Go package hold. The key is `<name>/<lease in hexadecimal>`, and the oldest one leads.
class Election {
 public:
  // `session` must outlive the election.
  Election(Session& session, std::string name) : place_(session, std::move(name)) {}

  // Waits until it leads, with `value`. A failure (CANCELLED, DEADLINE_EXCEEDED, a lost session …) withdraws.
  Task<Status> campaign(std::string value);
  // Another value, without another election. ABORTED where it does not lead.
  Task<Status> proclaim(std::string value);
  // Leads no more.
  Task<Status> resign() { return place_.unlock(); }
  // Of the leadership: its key, and the header of the answer that gave it.
  const std::string& key() const { return place_.key(); }
  const ResponseHeader& header() const { return place_.header(); }
  // True in a transaction for as long as it leads.
  Compare is_leader() const { return place_.is_owner(); }

 private:
  Mutex place_;
};

// ElectionObserver: who leads, and what it proclaims, as it changes. One task at a time.
class ElectionObserver {
 public:
  // `client` must outlive it.
  ElectionObserver(Client& client, std::string name);

  // Waits for the next leader or value; the first is the one there is. The answer has the leader's key-value alone.
  Task<Result<RangeResponse>> next();

 private:
  Task<Result<RangeResponse>> find_leader();
  Client& client_;
  std::string prefix_;
  std::string key_;                   // the leader's; empty: nobody is known to lead
  std::unique_ptr<Watcher> watcher_;  // of the key, or of the prefix until somebody leads
};

}  // namespace minigrpc::etcd
