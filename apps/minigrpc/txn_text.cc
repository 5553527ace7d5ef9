#include "txn_text.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "kv_requests.h"

namespace minigrpc::cli {

namespace {

Status malformed(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

void skip_blanks(std::string_view& text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t' || text[0] == '\r')) text.remove_prefix(1);
}

void append_utf8(std::string& out, std::uint32_t code_point) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
    return;
  }
  const int continuation_count = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
  const std::uint32_t lead = continuation_count == 1 ? 0xc0 : continuation_count == 2 ? 0xe0 : 0xf0;
  out += static_cast<char>(lead | code_point >> (6 * continuation_count));
  for (int i = continuation_count - 1; i >= 0; --i)
    out += static_cast<char>(0x80 | (code_point >> (6 * i) & 0x3f));
}

// Exactly `count` digits at the front.
std::optional<std::uint32_t> take_digits(std::string_view& text, std::size_t count, int base) {
  if (text.size() < count) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value, base);
  if (error != std::errc() || end != text.data() + count) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

// What stands behind a backslash; false where Go knows no such escape.
bool take_escape(std::string_view& text, std::string& out) {
  constexpr std::string_view kLetters = "abfnrtv\\\"'";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"'";
  if (text.empty()) return false;
  const char letter = text[0];
  if (const std::size_t at = kLetters.find(letter); at != std::string_view::npos) {
    text.remove_prefix(1);
    out += kMeanings[at];
    return true;
  }
  if (letter >= '0' && letter <= '7') {
    const std::optional<std::uint32_t> byte = take_digits(text, 3, 8);
    if (!byte || *byte > 0xff) return false;
    out += static_cast<char>(*byte);
    return true;
  }
  const std::size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  if (digits == 0) return false;
  text.remove_prefix(1);
  const std::optional<std::uint32_t> value = take_digits(text, digits, 16);
  if (!value || *value > 0x10ffff) return false;
  if (letter == 'x')
    out += static_cast<char>(*value);
  else
    append_utf8(out, *value);
  return true;
}

struct CompareName {
  std::string_view name;
  etcd::CompareTarget target;
};
constexpr CompareName kCompareNames[] = {
    {"ver", etcd::CompareTarget::kVersion}, {"version", etcd::CompareTarget::kVersion},
    {"c", etcd::CompareTarget::kCreate},    {"create", etcd::CompareTarget::kCreate},
    {"m", etcd::CompareTarget::kMod},       {"mod", etcd::CompareTarget::kMod},
    {"val", etcd::CompareTarget::kValue},   {"value", etcd::CompareTarget::kValue},
    {"lease", etcd::CompareTarget::kLease},
};

std::optional<etcd::CompareResult> take_compare_result(std::string_view& text) {
  using etcd::CompareResult;
  const bool two = text.starts_with("!=");
  const std::string_view sign = text.substr(0, two ? 2 : 1);
  text.remove_prefix(sign.size());
  if (sign == "=") return CompareResult::kEqual;
  if (sign == "!=") return CompareResult::kNotEqual;
  if (sign == ">") return CompareResult::kGreater;
  if (sign == "<") return CompareResult::kLess;
  return std::nullopt;
}

template <class Flags, class Build>
Result<etcd::RequestOp> build_operation(std::string_view line, const std::vector<std::string>& words,
                                        Build build) {
  Flags flags;
  std::vector<Verb> verbs(1);
  verbs[0].path = words[0];
  flags.add_to(verbs[0].flags);
  FlagSet globals;
  Result<CommandLine> parsed = parse_command_line(verbs, globals, words);
  if (!parsed)
    return malformed("invalid txn request: " + std::string(line) + " (" + parsed.error().message() + ")");
  auto request = build(flags, parsed->arguments);
  if (!request)
    return malformed("invalid txn request: " + std::string(line) + " (" + request.error().message() + ")");
  return etcd::RequestOp(*std::move(request));
}

// The lines up to a blank one.
Result<std::vector<std::string>> read_block(std::istream& in) {
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) return lines;
    lines.push_back(line);
  }
  return malformed(
      "the input ended inside a block; each of the three (comparisons, success, failure) ends with a "
      "blank line");
}

Status read_operations(std::istream& in, std::vector<etcd::RequestOp>& operations) {
  Result<std::vector<std::string>> lines = read_block(in);
  if (!lines) return lines.error();
  for (const std::string& line : *lines) {
    Result<etcd::RequestOp> operation = parse_operation(line);
    if (!operation) return operation.error();
    operations.push_back(*std::move(operation));
  }
  return Status();
}

}  // namespace

Result<std::string> take_quoted(std::string_view& text) {
  if (text.starts_with('`')) {
    const std::size_t end = text.find('`', 1);
    if (end == std::string_view::npos) return malformed("a quote is not closed");
    const std::string value(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    return value;
  }
  if (!text.starts_with('"')) return malformed("a quoted string is expected");
  text.remove_prefix(1);
  std::string value;
  while (!text.empty()) {
    const char c = text[0];
    text.remove_prefix(1);
    if (c == '"') return value;
    if (c != '\\')
      value += c;
    else if (!take_escape(text, value))
      return malformed("an escape is not understood");
  }
  return malformed("a quote is not closed");
}

Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  for (skip_blanks(line); !line.empty(); skip_blanks(line)) {
    if (line[0] == '"') {
      Result<std::string> word = take_quoted(line);
      if (!word) return std::move(word).error();
      words.push_back(*std::move(word));
    } else if (line[0] == '\'') {
      const std::size_t end = line.find('\'', 1);
      if (end == std::string_view::npos) return malformed("a quote is not closed");
      words.emplace_back(line.substr(1, end - 1));
      line.remove_prefix(end + 1);
    } else {
      const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
      words.emplace_back(line.substr(0, end));
      line.remove_prefix(end);
    }
  }
  return words;
}

Result<etcd::Compare> parse_compare(std::string_view line) {
  const std::string quoted(line);
  const std::size_t parenthesis = line.find('(');
  if (parenthesis == std::string_view::npos) return malformed("malformed comparison: " + quoted);
  std::string_view name = line.substr(0, parenthesis);
  skip_blanks(name);
  const auto known = std::ranges::find(kCompareNames, name, &CompareName::name);
  if (known == std::end(kCompareNames))
    return malformed("malformed comparison: " + quoted + " (unknown target " + std::string(name) +
                     "; there are version, create, mod, value and lease)");
  line.remove_prefix(parenthesis + 1);

  const std::string usage =
      "malformed comparison: " + quoted + "; write " + std::string(name) + "(\"key\") = \"operand\"";
  skip_blanks(line);
  Result<std::string> key = take_quoted(line);
  if (!key || !line.starts_with(')')) return malformed(usage);
  line.remove_prefix(1);
  skip_blanks(line);
  const std::optional<etcd::CompareResult> result = take_compare_result(line);
  if (!result) return malformed(usage);
  skip_blanks(line);
  Result<std::string> operand = take_quoted(line);
  skip_blanks(line);
  if (!operand || !line.empty()) return malformed(usage);

  etcd::Compare compare;
  compare.keys = etcd::KeyRange::single(*key);
  compare.target = known->target;
  compare.result = *result;
  if (known->target == etcd::CompareTarget::kValue) {
    compare.value = *std::move(operand);
    return compare;
  }
  const bool is_lease = known->target == etcd::CompareTarget::kLease;
  const std::optional<std::int64_t> number = is_lease ? parse_lease_id(*operand) : parse_integer(*operand);
  if (!number) return malformed("invalid txn compare request: " + quoted);
  compare.number = *number;
  return compare;
}

Result<etcd::RequestOp> parse_operation(std::string_view line) {
  Result<std::vector<std::string>> words = split_words(line);
  if (!words)
    return malformed("invalid txn request: " + std::string(line) + " (" + words.error().message() + ")");
  const std::string verb = words->empty() ? "" : words->front();
  if (verb == "get")
    return build_operation<GetFlags>(line, *words, [](const GetFlags& flags, const Arguments& arguments) {
      return flags.request(arguments);
    });
  if (verb == "put")
    return build_operation<PutFlags>(line, *words, [](const PutFlags& flags, const Arguments& arguments) {
      return flags.request(arguments, [] { return std::string(); });
    });
  if (verb == "del")
    return build_operation<DelFlags>(line, *words, [](const DelFlags& flags, const Arguments& arguments) {
      return flags.request(arguments);
    });
  return malformed("invalid txn request: " + std::string(line));
}

Result<etcd::TxnRequest> read_txn(std::istream& in, const std::function<void(std::string_view)>& prompt) {
  etcd::TxnRequest request;
  prompt("compares:");
  Result<std::vector<std::string>> lines = read_block(in);
  if (!lines) return std::move(lines).error();
  for (const std::string& line : *lines) {
    Result<etcd::Compare> compare = parse_compare(line);
    if (!compare) return std::move(compare).error();
    request.compare.push_back(*std::move(compare));
  }
  prompt("success requests (get, put, del):");
  if (Status status = read_operations(in, request.success); !status.ok()) return status;
  prompt("failure requests (get, put, del):");
  if (Status status = read_operations(in, request.failure); !status.ok()) return status;
  return request;
}

}  // namespace minigrpc::cli
