#include "kv_requests.h"

#include <cctype>
#include <charconv>

namespace minigrpc::cli {

namespace {

// OUT_OF_RANGE stands for a value of a flag that etcdctl answers with "bad feature" instead of "bad
// arguments".
Status bad_feature(std::string message) { return Status(StatusCode::kOutOfRange, std::move(message)); }

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

struct RangeFlags {
  std::string_view verb;
  bool prefix;
  bool from_key;
};

Result<etcd::KeyRange> key_range(const Arguments& arguments, RangeFlags flags) {
  if (flags.prefix && flags.from_key)
    return bad_arguments("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  if (arguments.size() == 0 || arguments.size() > 2)
    return bad_arguments(std::string(flags.verb) +
                         " command needs one argument as key and an optional argument as range_end");
  if (arguments.size() == 2) {
    if (flags.prefix || flags.from_key)
      return bad_arguments(
          "too many arguments, only accept one argument when `--prefix` or `--from-key` is set");
    return etcd::KeyRange{arguments[0], arguments[1]};
  }
  if (flags.prefix) return etcd::KeyRange::prefix(arguments[0]);
  if (flags.from_key) return etcd::KeyRange::from(arguments[0]);
  return etcd::KeyRange::single(arguments[0]);
}

}  // namespace

std::optional<etcd::LeaseId> parse_lease_id(std::string_view text) {
  etcd::LeaseId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

void GetFlags::add_to(FlagSet& flags) {
  flags.add("consistency", &consistency,
            "l (linearizable) or s (serializable: the member asked answers alone)");
  flags.add("count-only", &count_only, "only the number of keys");
  flags.add("from-key", &from_key, "keys that are greater than or equal to the given key, byte by byte");
  flags.add("keys-only", &keys_only, "only the keys");
  flags.add("limit", &limit, "at most so many results; 0: all");
  flags.add("max-create-rev", &max_create_rev, "only keys created up to that revision; 0: any");
  flags.add("max-mod-rev", &max_mod_rev, "only keys last changed up to that revision; 0: any");
  flags.add("min-create-rev", &min_create_rev, "only keys created from that revision on; 0: any");
  flags.add("min-mod-rev", &min_mod_rev, "only keys last changed from that revision on; 0: any");
  flags.add("order", &order, "ASCEND or DESCEND");
  flags.add("prefix", &prefix, "keys that begin with the given key");
  flags.add("print-value-only", &print_value_only, "only the values, in the simple format");
  flags.add("rev", &rev, "as they were at this revision; 0: now");
  flags.add("sort-by", &sort_by, "CREATE, KEY, MODIFY, VALUE or VERSION");
}

Result<etcd::RangeRequest> GetFlags::request(const Arguments& arguments) const {
  Result<etcd::KeyRange> keys = key_range(arguments, {"get", prefix, from_key});
  if (!keys) return std::move(keys).error();
  etcd::RangeRequest request{.keys = *std::move(keys), .limit = limit, .revision = rev};
  request.keys_only = keys_only;
  request.count_only = count_only;
  request.min_create_revision = min_create_rev;
  request.max_create_revision = max_create_rev;
  request.min_mod_revision = min_mod_rev;
  request.max_mod_revision = max_mod_rev;
  if (consistency == "s")
    request.serializable = true;
  else if (consistency != "l")
    return bad_feature("unknown consistency flag \"" + consistency + "\"");

  const std::string wanted_order = upper(order);
  if (wanted_order == "ASCEND")
    request.sort_order = etcd::SortOrder::kAscend;
  else if (wanted_order == "DESCEND")
    request.sort_order = etcd::SortOrder::kDescend;
  else if (!wanted_order.empty())
    return bad_feature("bad sort order " + order);

  const std::string target = upper(sort_by);
  if (target == "CREATE")
    request.sort_target = etcd::SortTarget::kCreate;
  else if (target == "MODIFY")
    request.sort_target = etcd::SortTarget::kMod;
  else if (target == "VALUE")
    request.sort_target = etcd::SortTarget::kValue;
  else if (target == "VERSION")
    request.sort_target = etcd::SortTarget::kVersion;
  else if (!target.empty() && target != "KEY")
    return bad_feature("bad sort target " + sort_by);
  return request;
}

void PutFlags::add_to(FlagSet& flags) {
  flags.add("ignore-lease", &ignore_lease, "keep the lease that the key has");
  flags.add("ignore-value", &ignore_value, "keep the value that the key has");
  flags.add("lease", &lease, "lease to attach the key to, in hexadecimal");
  flags.add("prev-kv", &prev_kv, "print the key and value that were there before");
}

Result<etcd::PutRequest> PutFlags::request(const Arguments& arguments,
                                           const std::function<std::string()>& read_value) const {
  if (arguments.size() == 0 || arguments.size() > 2)
    return bad_arguments("put command needs 1 argument and input from stdin or 2 arguments");
  if (ignore_value && arguments.size() > 1)
    return bad_arguments("put command needs only 1 argument when 'ignore-value' is set");
  etcd::PutRequest request;
  request.key = arguments[0];
  if (!ignore_value) {
    request.value = arguments.size() > 1 ? arguments[1] : read_value();
    if (request.value.empty() && arguments.size() == 1)
      return bad_arguments("put command needs 1 argument and input from stdin or 2 arguments");
  }
  const std::optional<etcd::LeaseId> id = parse_lease_id(lease);
  if (!id) return bad_arguments("bad lease ID \"" + lease + "\", expecting ID in Hex");
  request.lease = *id;
  request.prev_kv = prev_kv;
  request.ignore_value = ignore_value;
  request.ignore_lease = ignore_lease;
  return request;
}

void DelFlags::add_to(FlagSet& flags) {
  flags.add("from-key", &from_key, "keys that are greater than or equal to the given key, byte by byte");
  flags.add("prefix", &prefix, "keys that begin with the given key");
  flags.add("prev-kv", &prev_kv, "print the keys and values that were there");
}

Result<etcd::DeleteRangeRequest> DelFlags::request(const Arguments& arguments) const {
  Result<etcd::KeyRange> keys = key_range(arguments, {"del", prefix, from_key});
  if (!keys) return std::move(keys).error();
  return etcd::DeleteRangeRequest{.keys = *std::move(keys), .prev_kv = prev_kv};
}

}  // namespace minigrpc::cli
