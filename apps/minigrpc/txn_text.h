// The text of a transaction, as `txn` reads it: three blocks, each ended by a blank line.
//
//   value("greeting") = "hello"        comparisons: version create mod value lease; = != < >
//   mod("greeting") > "0"
//
//   put greeting "good bye"            what to do when all of them hold: get put del, with their flags
//
//   get greeting                       and otherwise
//
//
// Thread rule: one thread.
#pragma once

#include <minigrpc/etcd_types.h>
#include <minigrpc/result.h>

#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::cli {

// Reads one from `in`; `prompt` is called before each block with what the block is. INVALID_ARGUMENT quotes
// the line that is not understood; an input that ends too early is one, too.
Result<etcd::TxnRequest> read_txn(std::istream& in, const std::function<void(std::string_view)>& prompt);

// `value("a b") = "c"`.
Result<etcd::Compare> parse_compare(std::string_view line);
// `put "a b" 'c' --lease=12`.
Result<etcd::RequestOp> parse_operation(std::string_view line);

// Words between blanks; "in double quotes" with Go's escapes, 'in single quotes' without any.
Result<std::vector<std::string>> split_words(std::string_view line);

// What a Go string literal at the front of `text` stands for; removes it from there.
Result<std::string> take_quoted(std::string_view& text);

}  // namespace minigrpc::cli
