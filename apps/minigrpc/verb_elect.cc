// elect: lead, or see who leads.
#include <memory>

#include "interruption.h"
#include "invocation.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

// What etcdctl takes, too.
constexpr std::int64_t kSessionTtl_s = 60;

Task<int> observe(Invocation& invocation, const std::string name) {
  Interruption interruption(invocation.runtime());
  etcd::ElectionObserver observer(invocation.client(), name);
  while (true) {
    Task<Result<etcd::RangeResponse>> waiting = interruption.run(observer.next());
    const Result<etcd::RangeResponse> leader = co_await waiting;
    if (interruption.signal() != 0) co_return 0;
    if (!leader) co_return invocation.fail(leader.error());
    invocation.printer().range(*leader, RangeParts::kAll);
    invocation.out().flush();
  }
}

// Leads until a signal.
Task<int> lead(Invocation& invocation, Interruption& interruption, etcd::Session& session,
               etcd::Election& election) {
  etcd::RangeRequest request;
  request.keys = etcd::KeyRange::single(election.key());
  Task<Result<etcd::RangeResponse>> reading = invocation.client().Range(std::move(request));
  const Result<etcd::RangeResponse> response = co_await reading;
  if (!response) co_return invocation.fail(response.error());
  invocation.printer().range(*response, RangeParts::kAll);
  invocation.out().flush();
  Task<Status> holding = interruption.run(session.lost());
  const Status lost = co_await holding;
  if (interruption.signal() == 0)
    co_return invocation.fail(Exit::kError, "elect: session expired: " + invocation.explain(lost));
  Task<Status> resigning = election.resign();
  const Status resigned = co_await resigning;
  co_return resigned.ok() ? 0 : invocation.fail(resigned);
}

Task<int> campaign(Invocation& invocation, Interruption& interruption, etcd::Session& session,
                   std::string name, std::string proposal) {
  etcd::Election election(session, std::move(name));
  Task<Status> waiting = interruption.run(election.campaign(std::move(proposal)));
  const Status elected = co_await waiting;
  if (elected.ok()) co_return co_await lead(invocation, interruption, session, election);
  if (interruption.signal() != 0)
    co_return invocation.fail(Exit::kError, "interrupted while waiting to be elected");
  co_return invocation.fail(elected);
}

Task<int> run_for(Invocation& invocation, const std::string name, const std::string proposal) {
  Interruption interruption(invocation.runtime());
  Task<Result<std::unique_ptr<etcd::Session>>> opening =
      interruption.run(etcd::Session::open(invocation.client(), kSessionTtl_s));
  Result<std::unique_ptr<etcd::Session>> session = co_await opening;
  if (!session && interruption.signal() != 0) co_return invocation.fail(Exit::kError, "interrupted");
  if (!session) co_return invocation.fail(session.error());
  const int exit = co_await campaign(invocation, interruption, **session, name, proposal);
  Task<Status> closing = (*session)->close();
  const Status closed = co_await closing;
  if (!closed.ok())
    invocation.err() << "Warning: the lease could not be revoked and ends by itself within " << kSessionTtl_s
                     << " s: " << invocation.explain(closed) << "\n";
  co_return exit;
}

int elect(Invocation& invocation, bool listen, const Arguments& arguments) {
  if (arguments.size() != 1 && arguments.size() != 2)
    return invocation.fail(Exit::kBadArguments,
                           "elect takes one election name argument and an optional proposal argument");
  if (listen && arguments.size() == 2)
    return invocation.fail(Exit::kBadArguments, "proposal given but -l is set");
  if (!listen && arguments.size() == 1)
    return invocation.fail(Exit::kBadArguments, "no proposal argument but -l not set");
  return sync_wait(listen ? observe(invocation, arguments[0])
                          : run_for(invocation, arguments[0], arguments[1]));
}

}  // namespace

Verb elect_verb() {
  auto listen = std::make_shared<bool>(false);
  Verb verb{.path = "elect",
            .arguments = "<election-name> [proposal]",
            .summary = "Lead when its turn comes, or see who leads"};
  verb.description =
      "With a proposal it campaigns, prints its key and proposal once elected, and leads until Ctrl-C. With "
      "--listen it\n"
      "prints the key and proposal of each leader.";
  verb.examples =
      "minigrpc elect scheduler host-1\n"
      "minigrpc elect --listen scheduler";
  verb.has_protobuf = true;
  verb.flags.add("listen", listen.get(), "observe the election without taking part", 'l');
  verb.run = [listen](Invocation& invocation, const Arguments& arguments) {
    return elect(invocation, *listen, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
