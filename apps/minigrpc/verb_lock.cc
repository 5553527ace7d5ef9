#include <memory>

#include "child_process.h"
#include "interruption.h"
#include "invocation.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

struct LockRequest {
  std::string name;
  std::vector<std::string> command;  // empty: hold it until a signal
  std::int64_t ttl_s;
};

Task<void> warn_when_lost(Invocation& invocation, etcd::Session& session) {
  const Status lost = co_await session.lost();
  if (lost.code() == StatusCode::kCancelled) co_return;
  invocation.err() << "Warning: the lock is lost, somebody else may hold it: " << invocation.explain(lost)
                   << "\n";
}

// Runs the command while the lock is held; its exit status.
Task<int> run_command(Invocation& invocation, Interruption& interruption, etcd::Session& session,
                      etcd::Mutex& mutex, const std::vector<std::string>& command) {
  const Variables variables{{"ETCD_LOCK_KEY", mutex.key()},
                            {"ETCD_LOCK_REV", std::to_string(mutex.header().revision)}};
  Result<ChildProcess> child = ChildProcess::start(command, variables);
  if (!child) co_return invocation.fail(Exit::kError, child.error().message());
  interruption.forward_to(child->id());
  TaskScope watching(invocation.runtime());
  watching.spawn(warn_when_lost(invocation, session));
  ChildProcess process = *child;
  Task<int> waiting = invocation.runtime().blocking([process]() mutable { return process.wait(); });
  const int status = co_await waiting;
  interruption.forward_to(0);
  co_await watching.stop();
  co_return status;
}

// Shows the key that holds the lock, and holds it until a signal.
Task<int> hold(Invocation& invocation, Interruption& interruption, etcd::Session& session,
               etcd::Mutex& mutex) {
  etcd::RangeRequest request;
  request.keys = etcd::KeyRange::single(mutex.key());
  Task<Result<etcd::RangeResponse>> reading = invocation.client().Range(std::move(request));
  Result<etcd::RangeResponse> response = co_await reading;
  if (!response) co_return invocation.fail(response.error());
  if (response->kvs.empty()) co_return invocation.fail(Exit::kError, "lock lost on init");
  invocation.printer().range(*response, RangeParts::kAll);
  invocation.out().flush();
  Task<Status> holding = interruption.run(session.lost());
  const Status lost = co_await holding;
  if (interruption.signal() != 0) co_return 0;
  co_return invocation.fail(Exit::kError, "session expired: " + invocation.explain(lost));
}

Task<int> lock_and_use(Invocation& invocation, Interruption& interruption, etcd::Session& session,
                       const LockRequest& request) {
  etcd::Mutex mutex(session, request.name);
  Task<Status> locking = interruption.run(mutex.lock());
  const Status locked = co_await locking;
  if (!locked.ok()) {
    if (interruption.signal() != 0)
      co_return invocation.fail(Exit::kError, "interrupted while waiting for the lock");
    co_return invocation.fail(locked);
  }
  int exit = 0;
  if (request.command.empty())
    exit = co_await hold(invocation, interruption, session, mutex);
  else
    exit = co_await run_command(invocation, interruption, session, mutex, request.command);
  Task<Status> unlocking = mutex.unlock();
  const Status unlocked = co_await unlocking;
  // The lease's revocation, next, frees the lock as well.
  if (!unlocked.ok())
    invocation.err() << "Warning: unlocking failed: " << invocation.explain(unlocked) << "\n";
  co_return exit;
}

Task<int> lock(Invocation& invocation, const LockRequest request) {
  Interruption interruption(invocation.runtime());
  Task<Result<std::unique_ptr<etcd::Session>>> opening =
      interruption.run(etcd::Session::open(invocation.client(), request.ttl_s));
  Result<std::unique_ptr<etcd::Session>> session = co_await opening;
  if (!session) co_return invocation.fail(session.error());
  const int exit = co_await lock_and_use(invocation, interruption, **session, request);
  Task<Status> closing = (*session)->close();
  const Status closed = co_await closing;
  if (!closed.ok())
    invocation.err() << "Warning: the lease could not be revoked and ends by itself within " << request.ttl_s
                     << " s: " << invocation.explain(closed) << "\n";
  co_return exit;
}

}  // namespace

Verb lock_verb() {
  auto ttl_s = std::make_shared<std::int64_t>(10);
  Verb verb{.path = "lock",
            .arguments = "<lockname> [command arg1 arg2 ...]",
            .summary = "Hold a lock, or run a command while holding it"};
  verb.description =
      "Waits for its turn. Without a command it prints the lock's key and holds the lock until Ctrl-C. With "
      "one it exits\n"
      "with the command's exit status; the command sees ETCD_LOCK_KEY and ETCD_LOCK_REV. A holder that is "
      "killed loses\n"
      "the lock after --ttl.";
  verb.examples =
      "minigrpc lock deploy\n"
      "minigrpc lock deploy ./deploy.sh production\n"
      "minigrpc lock deploy --ttl 60 -- sh -c 'echo $ETCD_LOCK_KEY'";
  verb.flags.add("ttl", ttl_s.get(), "seconds until the lock of a holder that died is free");
  verb.has_protobuf = true;
  verb.run = [ttl_s](Invocation& invocation, const Arguments& arguments) {
    if (arguments.size() == 0)
      return invocation.fail(Exit::kBadArguments,
                             "lock takes a lock name argument and an optional command to execute");
    LockRequest request{.name = arguments[0],
                        .command = {arguments.words.begin() + 1, arguments.words.end()},
                        // What etcdctl makes of a TTL that is none.
                        .ttl_s = *ttl_s > 0 ? *ttl_s : 60};
    return sync_wait(lock(invocation, std::move(request)));
  };
  return verb;
}

}  // namespace minigrpc::cli
