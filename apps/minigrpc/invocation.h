// Invocation: what a verb works with: the global flags, the streams, and on demand a runtime and a client.
//
// Thread rule: the main thread.
#pragma once

#include <minigrpc/channel.h>
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

#include "globals.h"
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

std::optional<OutputFormat> parse_output_format(std::string_view name);

class Invocation {
 public:
  struct Streams {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
  };

  // All are borrowed. `globals` must hold (check()), its `write_out` must name a format (parse_output_format).
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
  // For one alone, as --endpoints or a member has it.
  std::unique_ptr<etcd::Client> client_for(const std::string& endpoint);
  // For another registry, as those flags say.
  std::unique_ptr<etcd::Client> client_of(const Globals& other);
  // To whichever of the endpoints answers, and to one alone.
  Channel open_channel();
  Channel open_channel(const std::string& endpoint);
  // What a call must carry that is not made through `client`: the token of --user.
  Result<CallOptions> call_options(etcd::Client& client);
  // The endpoints as a channel takes them: "host:port,host:port".
  std::string endpoint_list() const;
  // How a client reaches the registry; asks for the password of --user where none was given.
  etcd::ClientOptions client_options();

  // Each writes "Error: …" to err() and returns the exit status.
  int fail(Exit exit, std::string_view message);
  // What a registry, or the way to it, answered; says what to do where nobody answers.
  int fail(const Status& status, Exit exit = Exit::kError);
  // The text of fail(status), without "Error: ".
  std::string explain(const Status& status) const;

 private:
  std::string password_of(const Globals& globals);
  etcd::ClientOptions options_of(const Globals& globals);

  const Globals& globals_;
  Streams streams_;
  std::unique_ptr<Printer> printer_;
  std::optional<std::string> password_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<etcd::Client> client_;  // gone before the runtime
};

}  // namespace minigrpc::cli
