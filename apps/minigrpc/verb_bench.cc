// bench: calls a method as often as it can, or at a rate, and tells how long that took.
#include <minigrpc/discovery.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include "bench_report.h"
#include "call_schema.h"
#include "interruption.h"
#include "invocation.h"
#include "json_documents.h"
#include "load_thread.h"
#include "remote.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::seconds kProgressPeriod{1};
// What calls under way may take when time is over.
constexpr std::chrono::seconds kGrace{1};

struct BenchFlags {
  RemoteFlags remote;
  std::string data;
  std::int64_t connections = 1;
  std::int64_t streams = 50;
  std::int64_t threads = 1;
  std::int64_t requests = 0;
  std::int64_t messages = 0;
  std::int64_t rate = 0;
  std::chrono::nanoseconds duration = std::chrono::seconds(10);
  std::chrono::nanoseconds warmup = std::chrono::seconds(1);
  std::string output = "text";
  bool ping_pong = false;
  bool quiet = false;
};

Status check(const BenchFlags& flags) {
  if (flags.connections < 1 || flags.streams < 1 || flags.threads < 1)
    return bad_arguments("--connections, --streams and --threads are at least 1");
  if (flags.threads > flags.connections)
    return bad_arguments("a connection belongs to one thread: --connections is at least --threads");
  if (flags.requests < 0 || flags.rate < 0 || flags.messages < 0) return bad_arguments("a count is negative");
  if (flags.output != "text" && flags.output != "json")
    return bad_arguments("-o is text or json, not " + flags.output);
  return Status();
}

std::string_view kind_name(MethodKind kind) {
  switch (kind) {
    case MethodKind::kUnary:
      return "unary";
    case MethodKind::kServerStreaming:
      return "server streaming";
    case MethodKind::kClientStreaming:
      return "client streaming";
    case MethodKind::kBidirectional:
      return "bidirectional";
  }
  return "";
}

// The documents of the third argument or --data: text, "@FILE", or "@" for the standard input.
Result<std::vector<std::string>> read_documents(Invocation& invocation, const BenchFlags& flags,
                                                const Arguments& arguments) {
  if (arguments.size() > 2 && !flags.data.empty())
    return bad_arguments("the data is given twice: argument and --data");
  std::string text = arguments.size() > 2 ? arguments[2] : flags.data;
  if (text == "@" || text == "-" || text == "@-") {
    text.assign(std::istreambuf_iterator<char>(invocation.in()), {});
  } else if (text.starts_with('@')) {
    std::ifstream file(text.substr(1), std::ios::binary);
    if (!file) return bad_arguments("cannot read " + text.substr(1));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  JsonDocuments documents;
  documents.feed(text.empty() ? "{}" : text);
  documents.end();
  std::vector<std::string> list;
  while (true) {
    Result<std::optional<std::string>> document = documents.next();
    if (!document) return document.error();
    if (!*document) break;
    list.push_back(**std::move(document));
  }
  return list.empty() ? Result<std::vector<std::string>>(bad_arguments("there is no message to send")) : list;
}

std::chrono::nanoseconds processor_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

// What part `index` of `part_count` has of a whole.
std::int64_t share_of(std::int64_t whole, std::int64_t index, std::int64_t part_count) {
  return whole / part_count + (index < whole % part_count ? 1 : 0);
}

using Threads = std::vector<std::unique_ptr<LoadThread>>;

LoadStats sum_of(const Threads& threads) {
  LoadStats sum;
  for (const auto& thread : threads) sum.merge(thread->snapshot());
  return sum;
}

class Bench {
 public:
  Bench(Invocation& invocation, const BenchFlags& flags, Threads threads)
      : invocation_(invocation),
        flags_(flags),
        threads_(std::move(threads)),
        shows_progress_(!flags.quiet && isatty(STDERR_FILENO) == 1) {}

  BenchOutcome run() {
    Interruption interruption(invocation_.runtime());
    for (const auto& thread : threads_) thread->start();
    // A number of calls is all of them: there is nothing to throw away.
    if (flags_.requests == 0 && flags_.warmup.count() > 0) {
      wait_until(interruption, std::chrono::steady_clock::now() + flags_.warmup);
      for (const auto& thread : threads_) thread->measure_from_now();
    }
    begin_ = std::chrono::steady_clock::now();
    const std::chrono::nanoseconds processor_before = processor_time();
    wait_until(interruption, flags_.requests > 0 ? TimePoint::max() : begin_ + flags_.duration);
    for (const auto& thread : threads_)
      thread->stop(interruption.signal() != 0 ? std::chrono::nanoseconds(0) : kGrace);
    BenchOutcome outcome;
    outcome.took = std::chrono::steady_clock::now() - begin_;
    outcome.processor_time = processor_time() - processor_before;
    outcome.stats = sum_of(threads_);
    outcome.interrupted = interruption.signal() != 0;
    if (shows_progress_) invocation_.err() << "\r\033[K" << std::flush;
    return outcome;
  }

 private:
  bool all_finished() const {
    return std::ranges::all_of(threads_, [](const auto& thread) { return thread->finished(); });
  }

  // Until then, a signal, or until every call has been made.
  void wait_until(Interruption& interruption, TimePoint end) {
    while (interruption.signal() == 0 && !all_finished()) {
      const TimePoint now = std::chrono::steady_clock::now();
      if (now >= end) return;
      sync_wait(interruption.run(invocation_.runtime().sleep_until(std::min(end, now + kTick))));
      show_progress();
    }
  }

  void show_progress() {
    const TimePoint now = std::chrono::steady_clock::now();
    if (!shows_progress_ || now < next_progress_) return;
    next_progress_ = now + kProgressPeriod;
    const bool warming_up = begin_ == TimePoint();
    invocation_.err() << "\r\033[K"
                      << (warming_up ? std::string("warming up")
                                     : bench_progress(sum_of(threads_), now - begin_))
                      << std::flush;
  }

  Invocation& invocation_;
  const BenchFlags& flags_;
  const Threads threads_;
  const bool shows_progress_;
  TimePoint begin_{};
  TimePoint next_progress_{};
};

Result<Threads> make_threads(Invocation& invocation, const BenchFlags& flags, LoadPlan plan,
                             LoadRequests& requests) {
  Threads threads;
  const etcd::ClientOptions registry = invocation.client_options();
  std::int64_t first_worker = 0;
  for (std::int64_t i = 0; i < flags.threads; ++i) {
    LoadPlan share = plan;
    share.connection_count = share_of(flags.connections, i, flags.threads);
    share.call_count = share_of(flags.requests, i, flags.threads);
    share.rate = static_cast<double>(flags.rate) / static_cast<double>(flags.threads);
    if (flags.requests > 0 && share.call_count == 0) continue;
    threads.push_back(std::make_unique<LoadThread>(std::move(share), requests, first_worker));
    first_worker += share_of(flags.connections, i, flags.threads) * flags.streams;
    discovery::install(threads.back()->runtime(), registry);
    if (Status status = threads.back()->connect(invocation.globals().dial_timeout); !status.ok())
      return status;
  }
  return threads;
}

int bench(Invocation& invocation, const BenchFlags& flags, const Arguments& arguments) {
  if (arguments.size() < 2 || arguments.size() > 3)
    return invocation.fail(Exit::kBadArguments, "bench takes a target, Service/Method and perhaps JSON");
  if (const Status status = check(flags); !status.ok())
    return invocation.fail(Exit::kBadArguments, status.message());
  Result<Metadata> metadata = parse_headers(flags.remote.headers);
  if (!metadata) return invocation.fail(Exit::kBadArguments, metadata.error().message());
  Result<std::vector<std::string>> documents = read_documents(invocation, flags, arguments);
  if (!documents) return invocation.fail(Exit::kBadArguments, documents.error().message());

  Result<CallSchema> schema = Status(StatusCode::kNotFound, "");
  {
    const std::unique_ptr<Channel> channel = open_channel(invocation, flags.remote, arguments[0]);
    schema = find_schema(flags.remote, *channel, arguments[1]);
  }
  if (!schema)
    return fail(invocation, schema.error(),
                is_callers_fault(schema.error()) ? Exit::kBadArguments : Exit::kError);
  const Result<CallSchema::Method> method = schema->find_method(arguments[1]);
  if (!method) return invocation.fail(Exit::kBadArguments, method.error().message());
  const CallSchema& known = *schema;
  Result<LoadRequests> requests = LoadRequests::make(*documents, [&known, &method](const std::string& json) {
    return known.to_message(method->request_type, json);
  });
  if (!requests) return invocation.fail(Exit::kBadArguments, requests.error().message());

  RemoteAddress remote = remote_address(invocation, flags.remote, arguments[0]);
  LoadPlan plan{
      .target = std::move(remote.target), .channel = std::move(remote.options), .method = method->path};
  plan.kind = method->kind;
  plan.metadata = *std::move(metadata);
  plan.timeout = flags.remote.timeout;
  plan.stream_count = flags.streams;
  plan.messages_per_call =
      flags.messages > 0 ? flags.messages : static_cast<std::int64_t>(requests->document_count());
  plan.ping_pong = flags.ping_pong;
  Result<Threads> threads = make_threads(invocation, flags, std::move(plan), *requests);
  if (!threads)
    return invocation.fail(Exit::kBadConnection, threads.error().message() + " within " +
                                                     format_duration(invocation.globals().dial_timeout) +
                                                     " (--dial-timeout)");

  const BenchOutcome outcome = Bench(invocation, flags, *std::move(threads)).run();
  const BenchSetting setting{.target = arguments[0],
                             .method = method->path.substr(1),
                             .kind = std::string(kind_name(method->kind)),
                             .connection_count = flags.connections,
                             .stream_count = flags.streams,
                             .thread_count = flags.threads,
                             .rate = static_cast<double>(flags.rate)};
  const bool json = flags.output == "json" || invocation.format() == OutputFormat::kJson;
  invocation.out() << (json ? bench_json(setting, outcome) + "\n" : bench_text(setting, outcome));
  const bool good = outcome.stats.failed_count() == 0 && outcome.stats.ended_count() > 0;
  return good ? 0 : static_cast<int>(Exit::kError);
}

}  // namespace

Verb bench_verb() {
  auto flags = std::make_shared<BenchFlags>();
  Verb verb{.path = "bench",
            .arguments = "<target> <Service/Method> [json]",
            .summary = "Call a method many times, and tell how long that takes"};
  verb.description =
      "Target, method, schema and data are as for call; several JSON documents take turns. In the data, each "
      "request fills\n"
      "in {{n}} its number, {{worker}} its caller, {{random A B}}, {{string N}} random letters, {{uuid}} and "
      "{{time}} in ms.\n"
      "\n"
      "Without --rate each of --connections x --streams callers calls again as soon as its call has ended (a "
      "closed loop).\n"
      "With --rate so many calls a second are due, whatever became of the others, and latencies count from "
      "when a call\n"
      "was due: a server that stalls shows. Exits with 1 where a call failed or none ended. Ctrl-C ends it "
      "early, with the "
      "result so far.";
  verb.examples =
      "minigrpc bench ProdService ProdService/GetProdStock '{\"prod_id\": 4}'\n"
      "minigrpc bench 127.0.0.1:5051 shop.Orders/Get '{\"id\": {{random 1 1000}}}' --connections 4 "
      "--duration 30s\n"
      "minigrpc bench 127.0.0.1:5051 shop.Orders/Get '{\"id\": 7}' --rate 20000 -o json\n"
      "minigrpc bench 127.0.0.1:5051 shop.Orders/Watch '{}' --messages 100 --ping-pong";
  verb.flags.add("connections", &flags->connections, "how many connections", 'c');
  verb.flags.add("data", &flags->data, "the JSON; @ or - for the standard input, @FILE for a file", 'd');
  verb.flags.add("duration", &flags->duration, "how long to measure", 'z');
  verb.flags.add("messages", &flags->messages,
                 "messages that a call sends, where the method takes a stream; 0: each document once");
  verb.flags.add("output", &flags->output, "text or json", 'o');
  verb.flags.add("ping-pong", &flags->ping_pong, "a bidirectional call waits for an answer to each message");
  verb.flags.add("quiet", &flags->quiet, "no progress at a terminal", 'q');
  verb.flags.add("rate", &flags->rate, "calls that are due each second; 0: as many as there is room for",
                 'r');
  verb.flags.add("requests", &flags->requests, "so many calls, however long they take, instead of --duration",
                 'n');
  verb.flags.add("streams", &flags->streams, "calls at a time on each connection", 's');
  verb.flags.add("threads", &flags->threads, "event loops that share the connections");
  verb.flags.add("warmup", &flags->warmup, "what is called before, and not counted; not with --requests");
  add_remote_flags(verb.flags, flags->remote);
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return bench(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
