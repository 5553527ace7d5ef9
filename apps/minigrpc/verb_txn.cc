#include <memory>

#include "invocation.h"
#include "txn_text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

int txn(Invocation& invocation, bool interactive, const Arguments& arguments) {
  if (arguments.size() != 0)
    return invocation.fail(Exit::kBadArguments, "txn command does not accept argument");
  Result<etcd::TxnRequest> request = read_txn(invocation.in(), [&](std::string_view block) {
    if (interactive) invocation.out() << block << std::endl;
  });
  if (!request) return invocation.fail(Exit::kInvalidInput, request.error().message());
  Result<etcd::TxnResponse> response = sync_wait(invocation.client().Txn(*std::move(request)));
  if (!response) return invocation.fail(response.error());
  invocation.printer().txn(*response);
  return 0;
}

}  // namespace

Verb txn_verb() {
  auto interactive = std::make_shared<bool>(false);
  Verb verb{.path = "txn", .arguments = "", .summary = "Compare and change keys in one transaction"};
  verb.description =
      "Reads three blocks from the standard input, each ended by a blank line: comparisons, what to do when "
      "all of them\n"
      "hold, and what to do otherwise.\n"
      "\n"
      "  comparison   TARGET(\"key\") OPERATOR \"operand\"\n"
      "               TARGET: version create mod value lease    OPERATOR: = != < >\n"
      "  operation    get, put or del, with their arguments and flags";
  verb.examples =
      "minigrpc txn <<'END'\n"
      "value(\"greeting\") = \"hello\"\n"
      "\n"
      "put greeting \"good bye\"\n"
      "\n"
      "get greeting\n"
      "\n"
      "END";
  verb.flags.add("interactive", interactive.get(), "say which block is expected", 'i');
  verb.has_protobuf = true;
  verb.run = [interactive](Invocation& invocation, const Arguments& arguments) {
    return txn(invocation, *interactive, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
