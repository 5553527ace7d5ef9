// get, put, del, compaction.
#include <iterator>
#include <memory>

#include "invocation.h"
#include "kv_requests.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

int fail_to_build(Invocation& invocation, const Status& status) {
  const bool feature = status.code() == StatusCode::kOutOfRange;
  return invocation.fail(feature ? Exit::kBadFeature : Exit::kBadArguments, status.message());
}

int get(Invocation& invocation, const GetFlags& flags, const Arguments& arguments) {
  Result<etcd::RangeRequest> request = flags.request(arguments);
  if (!request) return fail_to_build(invocation, request.error());
  if (flags.print_value_only && invocation.format() != OutputFormat::kSimple)
    return invocation.fail(Exit::kBadArguments, "print-value-only is only for `--write-out=simple`");
  Result<etcd::RangeResponse> response = sync_wait(invocation.client().Range(*std::move(request)));
  if (!response) return invocation.fail(response.error());
  invocation.printer().range(*response, flags.count_only         ? RangeParts::kCount
                                        : flags.print_value_only ? RangeParts::kValues
                                                                 : RangeParts::kAll);
  return 0;
}

int put(Invocation& invocation, const PutFlags& flags, const Arguments& arguments) {
  const auto read_value = [&] {
    return std::string(std::istreambuf_iterator<char>(invocation.in()), std::istreambuf_iterator<char>());
  };
  Result<etcd::PutRequest> request = flags.request(arguments, read_value);
  if (!request) return fail_to_build(invocation, request.error());
  Result<etcd::PutResponse> response = sync_wait(invocation.client().Put(*std::move(request)));
  if (!response) return invocation.fail(response.error());
  invocation.printer().put(*response);
  return 0;
}

int del(Invocation& invocation, const DelFlags& flags, const Arguments& arguments) {
  Result<etcd::DeleteRangeRequest> request = flags.request(arguments);
  if (!request) return fail_to_build(invocation, request.error());
  Result<etcd::DeleteRangeResponse> response =
      sync_wait(invocation.client().DeleteRange(*std::move(request)));
  if (!response) return invocation.fail(response.error());
  invocation.printer().deleted(*response);
  return 0;
}

int compact(Invocation& invocation, bool physical, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "compaction command needs 1 argument");
  const std::optional<std::int64_t> revision = parse_integer(arguments[0]);
  if (!revision)
    return invocation.fail(Exit::kError, "bad revision \"" + arguments[0] + "\", expecting a number");
  etcd::CompactionRequest request{.revision = *revision, .physical = physical};
  Result<etcd::CompactionResponse> response = sync_wait(invocation.client().Compact(std::move(request)));
  if (!response) return invocation.fail(response.error());
  invocation.out() << "compacted revision " << *revision << "\n";
  return 0;
}

}  // namespace

Verb get_verb() {
  auto flags = std::make_shared<GetFlags>();
  Verb verb{.path = "get", .arguments = "<key> [range_end]", .summary = "Get a key, or a range of keys"};
  verb.description =
      "Prints each key and its value on a line of its own. With range_end: the keys in [key, range_end).";
  verb.examples =
      "minigrpc get greeting\n"
      "minigrpc get --prefix ProdService/             who serves ProdService\n"
      "minigrpc get greeting --rev 7 -w json          as it was at revision 7\n"
      "minigrpc get --prefix '' --sort-by MODIFY --order DESCEND --limit 10";
  flags->add_to(verb.flags);
  verb.has_protobuf = true;
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return get(invocation, *flags, arguments);
  };
  return verb;
}

Verb put_verb() {
  auto flags = std::make_shared<PutFlags>();
  Verb verb{.path = "put", .arguments = "<key> [value]", .summary = "Put a value under a key"};
  verb.description =
      "Without a value it is read from the standard input. A value that begins with '-' stands behind '--'.";
  verb.examples =
      "minigrpc put greeting 'hello world'\n"
      "minigrpc put greeting --lease 70cc8c2a8b2b3c05 hello\n"
      "minigrpc put -- temperature -12\n"
      "minigrpc put config < config.json";
  flags->add_to(verb.flags);
  verb.has_protobuf = true;
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return put(invocation, *flags, arguments);
  };
  return verb;
}

Verb del_verb() {
  auto flags = std::make_shared<DelFlags>();
  Verb verb{.path = "del", .arguments = "<key> [range_end]", .summary = "Delete a key, or a range of keys"};
  verb.description = "Prints how many keys there were. With range_end: the keys in [key, range_end).";
  verb.examples =
      "minigrpc del greeting\n"
      "minigrpc del --prefix ProdService/ --prev-kv   print what was deleted";
  flags->add_to(verb.flags);
  verb.has_protobuf = true;
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return del(invocation, *flags, arguments);
  };
  return verb;
}

Verb compaction_verb() {
  auto physical = std::make_shared<bool>(false);
  Verb verb{
      .path = "compaction", .arguments = "<revision>", .summary = "Forget the history before a revision"};
  verb.examples = "minigrpc compaction 1234";
  verb.flags.add("physical", physical.get(), "wait until the space is free");
  verb.run = [physical](Invocation& invocation, const Arguments& arguments) {
    return compact(invocation, *physical, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
