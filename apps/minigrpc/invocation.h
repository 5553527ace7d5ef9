// Invocation: what a verb works with: the global flags, the streams, and on demand a runtime and a client.
//
// Thread rule: the main thread.
#pragma once

#include <minigrpc/etcd.h>
#include <minigrpc/runtime.h>

#include <chrono>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "output.h"

namespace minigrpc::cli {

// Exit statuses: etcdctl's.
enum class Exit : int {
  kSuccess = 0,
  kError = 1,
  kBadConnection = 2,
  kInvalidInput = 3,
  kBadFeature = 4,
  kInterrupted = 5,
  kBadArguments = 128,
};

struct Globals {
  std::vector<std::string> endpoints{"127.0.0.1:2379"};
  std::chrono::nanoseconds command_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds dial_timeout = std::chrono::seconds(2);
  std::string write_out = "simple";
  bool hex = false;
};

std::optional<OutputFormat> parse_output_format(std::string_view name);

// "http://10.0.0.1:2379/" → "10.0.0.1:2379". INVALID_ARGUMENT for "https://…": no TLS yet.
Result<std::string> endpoint_address(std::string_view endpoint);

class Invocation {
 public:
  struct Streams {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
  };

  // All are borrowed. `globals.write_out` must name a format (parse_output_format).
  Invocation(const Globals& globals, Streams streams);

  const Globals& globals() const { return globals_; }
  std::istream& in() { return streams_.in; }
  std::ostream& out() { return streams_.out; }
  std::ostream& err() { return streams_.err; }
  OutputFormat format() const { return *parse_output_format(globals_.write_out); }
  Printer& printer() { return *printer_; }

  Runtime& runtime();
  // For all endpoints.
  etcd::Client& client();
  // For one alone; the command's timeout applies to its calls.
  std::unique_ptr<etcd::Client> client_for(const std::string& endpoint);
  // The endpoints as a client takes them: "host:port,host:port".
  std::string endpoint_list() const;

  // Each writes "Error: …" to err() and returns the exit status.
  int fail(Exit exit, std::string_view message);
  // What a registry, or the way to it, answered; says what to do where nobody answers.
  int fail(const Status& status, Exit exit = Exit::kError);
  // The text of fail(status), without "Error: ".
  std::string explain(const Status& status) const;

 private:
  etcd::ClientOptions client_options() const;

  const Globals& globals_;
  Streams streams_;
  std::unique_ptr<Printer> printer_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<etcd::Client> client_;  // gone before the runtime
};

}  // namespace minigrpc::cli
