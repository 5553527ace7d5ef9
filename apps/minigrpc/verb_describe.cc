// list and describe: what a server offers, by its own word or by files.
#include "call_schema.h"
#include "invocation.h"
#include "remote.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

// list and describe take [target] [name]; with files there is no server to ask, and so no target.
struct Wanted {
  std::string target;
  std::string name;
};

Result<Wanted> read_arguments(const RemoteFlags& remote, const Arguments& arguments) {
  const std::size_t targets = remote.schema.empty() ? 1 : 0;
  if (arguments.size() < targets)
    return Status(StatusCode::kInvalidArgument, "whom to ask? Give an address, the name of a service, or --proto FILE");
  if (arguments.size() > targets + 1)
    return Status(StatusCode::kInvalidArgument, targets == 0 ? "with --proto or --protoset there is one argument at most"
                                                             : "there are two arguments at most: target and name");
  Wanted wanted;
  if (targets == 1) wanted.target = arguments[0];
  if (arguments.size() > targets) wanted.name = arguments[targets];
  return wanted;
}

int fail_reflection(Invocation& invocation, const Status& status) {
  if (status.code() == StatusCode::kUnimplemented)
    return invocation.fail(Exit::kError,
                           "the server has no reflection (grpc.reflection.v1): pass --proto FILE or --protoset FILE");
  return fail(invocation, status);
}

int list_services(Invocation& invocation, const RemoteFlags& remote, const Arguments& arguments) {
  const Result<Wanted> wanted = read_arguments(remote, arguments);
  if (!wanted) return invocation.fail(Exit::kBadArguments, wanted.error().message());
  std::vector<std::string> lines;
  Result<CallSchema> schema = Status(StatusCode::kNotFound, "");
  if (wanted->target.empty()) {
    schema = CallSchema::load(remote.schema);
    if (!schema) return invocation.fail(Exit::kBadArguments, schema.error().message());
    if (wanted->name.empty()) lines = schema->services();
  } else {
    const std::unique_ptr<Channel> channel = open_channel(invocation, remote, wanted->target);
    const Result<Reflected> reflected = ask_server(*channel, remote, {.service = wanted->name});
    if (!reflected) return fail_reflection(invocation, reflected.error());
    if (wanted->name.empty())
      lines = reflected->services;
    else
      schema = CallSchema::of(reflected->files);
  }
  if (!wanted->name.empty()) {
    Result<std::vector<std::string>> methods =
        schema ? schema->methods_of(wanted->name) : Result<std::vector<std::string>>(schema.error());
    if (!methods) return invocation.fail(Exit::kError, methods.error().message());
    lines = *std::move(methods);
  }
  for (const std::string& line : lines) invocation.out() << line << "\n";
  return 0;
}

// Of "shop.Orders/Get" what a server's reflection knows: "shop.Orders.Get".
std::string symbol_of(std::string name) {
  if (name.starts_with('.') || name.starts_with('/')) name.erase(0, 1);
  for (char& c : name)
    if (c == '/') c = '.';
  return name;
}

int describe(Invocation& invocation, const RemoteFlags& remote, const Arguments& arguments) {
  const Result<Wanted> wanted = read_arguments(remote, arguments);
  if (!wanted) return invocation.fail(Exit::kBadArguments, wanted.error().message());
  const std::string symbol = symbol_of(wanted->name);
  Result<CallSchema> schema = Status(StatusCode::kNotFound, "");
  std::vector<std::string> served;
  if (wanted->target.empty()) {
    schema = CallSchema::load(remote.schema);
    if (schema) served = schema->services();
  } else {
    const std::unique_ptr<Channel> channel = open_channel(invocation, remote, wanted->target);
    ReflectionQuestion question{.all_services = symbol.empty(), .service = symbol, .symbol = symbol};
    const Result<Reflected> reflected = ask_server(*channel, remote, std::move(question));
    if (!reflected) return fail_reflection(invocation, reflected.error());
    schema = CallSchema::of(reflected->files);
    served = reflected->services;
  }
  if (!schema) return invocation.fail(Exit::kBadArguments, schema.error().message());
  const std::vector<std::string> names = symbol.empty() ? served : std::vector{symbol};
  for (const std::string& name : names) {
    const Result<std::string> text = schema->describe(name);
    if (!text) return invocation.fail(Exit::kError, text.error().message());
    invocation.out() << *text << "\n";
  }
  return 0;
}

Verb make_verb(Verb verb, int (*run)(Invocation&, const RemoteFlags&, const Arguments&)) {
  auto flags = std::make_shared<RemoteFlags>();
  add_remote_flags(verb.flags, *flags);
  verb.run = [flags, run](Invocation& invocation, const Arguments& arguments) {
    return run(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace

Verb list_verb() {
  return make_verb({.path = "list",
                    .arguments = "[target] [Service]",
                    .summary = "Show the services of a server, or the methods of a service",
                    .description = "The server is asked by reflection, unless --proto or --protoset says where its schema "
                                   "is; then there is no target.",
                    .examples = "minigrpc list 127.0.0.1:5051\n"
                                "minigrpc list ProdService ProdService\n"
                                "minigrpc list --proto shop/orders.proto -I protos"},
                   &list_services);
}

Verb describe_verb() {
  return make_verb({.path = "describe",
                    .arguments = "[target] [name]",
                    .summary = "Show the schema of a service, method, message or enum",
                    .description = "Without a name every service is shown. As with list, the server is asked by "
                                   "reflection, or files are read.",
                    .examples = "minigrpc describe 127.0.0.1:5051\n"
                                "minigrpc describe 127.0.0.1:5051 shop.Orders/Get\n"
                                "minigrpc describe shop.Order --protoset shop.pb"},
                   &describe);
}

}  // namespace minigrpc::cli
