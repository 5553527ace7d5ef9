// call: one call of any kind, from JSON and to JSON.
#include <google/protobuf/any.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <minigrpc/generic.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <memory>

#include "call_schema.h"
#include "command_line.h"
#include "input_source.h"
#include "invocation.h"
#include "remote.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

// What the exit status of a failed call counts from, as grpcurl's does: 64 + 5 for NOT_FOUND.
constexpr int kExitOfCall = 64;

struct CallFlags {
  RemoteFlags remote;
  std::string data;
  bool indented = false;
  bool emit_defaults = false;
  bool verbose = false;
};

using RawStream = ClientStream<RawMessage, RawMessage>;

bool takes_one_message(MethodKind kind) {
  return kind == MethodKind::kUnary || kind == MethodKind::kServerStreaming;
}

// Where the documents come from: the third argument or --data; "@" and "-" are the standard input, "@FILE" a
// file.
Result<std::unique_ptr<InputSource>> open_input(const CallFlags& flags, const Arguments& arguments,
                                                MethodKind kind) {
  if (arguments.size() > 2 && !flags.data.empty())
    return bad_arguments("the data is given twice: argument and --data");
  const std::string data = arguments.size() > 2 ? arguments[2] : flags.data;
  if (data == "@" || data == "-" || data == "@-") return std::make_unique<InputSource>(STDIN_FILENO);
  if (data.starts_with('@')) {
    std::ifstream file(data.substr(1), std::ios::binary);
    if (!file) return bad_arguments("cannot read " + data.substr(1));
    return std::make_unique<InputSource>(std::string(std::istreambuf_iterator<char>(file), {}));
  }
  return std::make_unique<InputSource>(data.empty() && takes_one_message(kind) ? "{}" : data);
}

class Call {
 public:
  Call(Invocation& invocation, const CallSchema& schema, CallSchema::Method method, JsonStyle style)
      : invocation_(invocation), schema_(schema), method_(std::move(method)), style_(style) {}

  // Everything there is to send must be known before a call that takes one message: it must be one.
  Status prepare(InputSource& input) {
    if (!takes_one_message(method_.kind)) return Status();
    Result<std::optional<std::string>> document = input.next();
    if (!document) return document.error();
    if (!*document) return bad_arguments("there is no message to send");
    Result<std::string> message = schema_.to_message(method_.request_type, **document);
    if (!message) return message.error();
    only_message_ = *std::move(message);
    document = input.next();
    if (!document) return document.error();
    return *document ? bad_arguments("the method takes one message, there are more") : Status();
  }

  // The call's outcome. input_error() tells apart what was wrong on this side.
  Task<Status> run(const Channel& channel, CallOptions options, InputSource& input) {
    // With messages as bytes every kind of call is a stream in both directions.
    const MethodDescriptor descriptor{method_.path, MethodKind::kBidirectional};
    RawStream stream = GenericClient(channel).bidirectional(descriptor, std::move(options));
    auto both = when_all(send(stream, input), receive(stream, input));
    const std::tuple<std::monostate, Status> outcome = co_await both;
    co_return std::get<1>(outcome);
  }
  const Status& input_error() const { return input_error_; }

 private:
  Task<void> send(RawStream& stream, InputSource& input) {
    if (only_message_) {
      RawMessage message{*only_message_};
      co_await stream.write(message);
    }
    while (!only_message_) {
      Task<Result<std::optional<std::string>>> reading =
          invocation_.runtime().blocking([source = &input] { return source->next(); });
      Result<std::optional<std::string>> document = co_await reading;
      if (document && !*document) break;
      Result<std::string> bytes = document ? schema_.to_message(method_.request_type, **document)
                                           : Result<std::string>(document.error());
      if (!bytes) {
        input_error_ = bytes.error();
        stream.cancel();
        co_return;
      }
      RawMessage message{*std::move(bytes)};
      const bool accepted = co_await stream.write(message);
      if (!accepted) co_return;
    }
    co_await stream.writes_done();
  }

  Task<Status> receive(RawStream& stream, InputSource& input) {
    Status malformed;
    while (std::optional<RawMessage> message = co_await stream.read()) {
      Result<std::string> json = schema_.to_json(method_.response_type, message->bytes, style_);
      if (!json) {
        malformed = Status(StatusCode::kInternal, json.error().message());
        stream.cancel();
        break;
      }
      invocation_.out() << *json << std::endl;
    }
    input.close();
    Status status = co_await stream.finish();
    co_return malformed.ok() ? status : malformed;
  }

  Invocation& invocation_;
  const CallSchema& schema_;
  CallSchema::Method method_;
  JsonStyle style_;
  std::optional<std::string> only_message_;
  Status input_error_;
};

// "NotFound" for NOT_FOUND, as grpcurl prints it.
std::string camel_case(std::string_view name) {
  std::string text;
  bool capital = true;
  for (const char c : name) {
    if (c != '_') text += capital ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    capital = c == '_';
  }
  return text;
}

// The Any messages of a google.rpc.Status: its field 3.
std::vector<google::protobuf::Any> details_of(const Status& status) {
  std::vector<google::protobuf::Any> details;
  google::protobuf::UnknownFieldSet fields;
  if (!fields.ParseFromString(status.details())) return details;
  for (int i = 0; i < fields.field_count(); ++i) {
    const google::protobuf::UnknownField& field = fields.field(i);
    google::protobuf::Any any;
    if (field.number() == 3 && field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED &&
        any.ParseFromString(field.length_delimited()))
      details.push_back(std::move(any));
  }
  return details;
}

int fail_call(Invocation& invocation, const CallSchema& schema, const Status& status) {
  invocation.out().flush();
  invocation.err() << "ERROR:\n  Code: " << camel_case(status_code_name(status.code()))
                   << "\n  Message: " << status.message() << "\n";
  const std::vector<google::protobuf::Any> details = details_of(status);
  if (!details.empty()) invocation.err() << "  Details:\n";
  for (std::size_t i = 0; i < details.size(); ++i) {
    const std::string& url = details[i].type_url();
    const std::string type = url.substr(url.rfind('/') + 1);
    const Result<std::string> json = schema.to_json(type, details[i].value(), {});
    invocation.err() << "  " << i + 1 << ")\t" << type << " "
                     << (json ? *json : "(not in the schema) " + base64(details[i].value())) << "\n";
  }
  invocation.err() << advice_on(status);
  return kExitOfCall + static_cast<int>(status.code());
}

void print_details(Invocation& invocation, const CallDetails& details) {
  invocation.out().flush();
  invocation.err() << "peer " << details.peer << "\n";
  const auto print = [&](std::string_view kind, const Metadata& metadata) {
    for (const Metadata::Entry& entry : metadata)
      invocation.err() << kind << " " << entry.name << ": "
                       << (entry.name.ends_with("-bin") ? base64(entry.value) : entry.value) << "\n";
  };
  print("header", details.headers);
  print("trailer", details.trailers);
}

int call(Invocation& invocation, const CallFlags& flags, const Arguments& arguments) {
  if (arguments.size() < 2 || arguments.size() > 3)
    return invocation.fail(Exit::kBadArguments, "call takes a target, Service/Method and perhaps JSON");
  Result<Metadata> metadata = parse_headers(flags.remote.headers);
  if (!metadata) return invocation.fail(Exit::kBadArguments, metadata.error().message());
  const std::unique_ptr<Channel> channel = open_channel(invocation, flags.remote, arguments[0]);
  Result<CallSchema> schema = find_schema(flags.remote, *channel, arguments[1]);
  if (!schema && is_callers_fault(schema.error()))
    return invocation.fail(Exit::kBadArguments, schema.error().message());
  if (!schema) return fail_call(invocation, CallSchema::load({}).value(), schema.error());
  Result<CallSchema::Method> method = schema->find_method(arguments[1]);
  if (!method) return invocation.fail(Exit::kBadArguments, method.error().message());
  Result<std::unique_ptr<InputSource>> input = open_input(flags, arguments, method->kind);
  if (!input) return invocation.fail(Exit::kBadArguments, input.error().message());
  Call one(invocation, *schema, *method, {.indented = flags.indented, .with_defaults = flags.emit_defaults});
  if (const Status status = one.prepare(**input); !status.ok())
    return invocation.fail(Exit::kBadArguments, status.message());

  CallDetails details;
  CallOptions options{.metadata = *std::move(metadata), .details = &details};
  if (flags.remote.timeout.count() > 0) options.timeout = flags.remote.timeout;
  const Status status = sync_wait(one.run(*channel, std::move(options), **input));
  if (!one.input_error().ok()) return invocation.fail(Exit::kBadArguments, one.input_error().message());
  if (flags.verbose) print_details(invocation, details);
  return status.ok() ? 0 : fail_call(invocation, *schema, status);
}

}  // namespace

Verb call_verb() {
  auto flags = std::make_shared<CallFlags>();
  Verb verb{.path = "call",
            .arguments = "<target> <Service/Method> [json]",
            .summary = "Call a method, with JSON for messages"};
  verb.description =
      "The target is an address (10.0.0.1:5051, unix:/run/x.sock), etcd://HOST:PORT/SERVICE, or the name of "
      "a service,\n"
      "which is looked up at --endpoints. Where the method takes a stream, the JSON may be several "
      "documents. Each\n"
      "response is printed on a line of its own. A call that fails prints its status, and exits with 64 and "
      "its code.\n"
      "Without --proto or --protoset the server is asked for its schema, by reflection; the services of etcd "
      "and\ngrpc.health.v1.Health are known anyway.";
  verb.examples =
      "minigrpc call ProdService ProdService/GetProdStock '{\"prod_id\": 4}'\n"
      "minigrpc call 127.0.0.1:5051 shop.Orders/Watch -I protos --proto shop/orders.proto --timeout 10s\n"
      "minigrpc call 127.0.0.1:5051 shop.Orders/Upload --proto orders.proto -d @ < orders.json\n"
      "minigrpc call 127.0.0.1:5051 grpc.health.v1.Health/Check -H 'authorization: Bearer xyz'";
  verb.flags.add("data", &flags->data, "the JSON; @ or - for the standard input, @FILE for a file", 'd');
  verb.flags.add("emit-defaults", &flags->emit_defaults,
                 "print also the fields that have their default value");
  verb.flags.add("pretty", &flags->indented, "print responses over several lines");
  verb.flags.add("verbose", &flags->verbose, "print who answered, and the metadata, to the standard error",
                 'v');
  add_remote_flags(verb.flags, flags->remote);
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return call(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
