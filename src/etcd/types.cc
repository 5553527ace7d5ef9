#include <minigrpc/etcd_types.h>

#include <utility>

namespace minigrpc::etcd {

namespace {

Compare compare_number(std::string_view key, CompareTarget target, std::int64_t number) {
  return {.keys = KeyRange::single(key),
          .target = target,
          .result = CompareResult::kEqual,
          .number = number,
          .value = {}};
}

}  // namespace

KeyRange KeyRange::prefix(std::string_view prefix) {
  // The first key behind all that begin with the prefix: the last byte that can grow, grown.
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (end.empty()) return prefix.empty() ? from(std::string_view("\0", 1)) : from(prefix);
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return {std::string(prefix), std::move(end)};
}

KeyRange KeyRange::from(std::string_view key) {
  // etcd refuses an empty key; "\0" is the least one.
  return {key.empty() ? std::string(1, '\0') : std::string(key), std::string(1, '\0')};
}

Compare Compare::absent(std::string_view key) { return compare_number(key, CompareTarget::kCreate, 0); }
Compare Compare::mod_revision_is(std::string_view key, std::int64_t revision) {
  return compare_number(key, CompareTarget::kMod, revision);
}
Compare Compare::create_revision_is(std::string_view key, std::int64_t revision) {
  return compare_number(key, CompareTarget::kCreate, revision);
}
Compare Compare::lease_is(std::string_view key, LeaseId lease) {
  return compare_number(key, CompareTarget::kLease, lease);
}
Compare Compare::value_is(std::string_view key, std::string_view value) {
  Compare compare = compare_number(key, CompareTarget::kValue, 0);
  compare.value = value;
  return compare;
}

TxnRequest& TxnRequest::when(Compare condition) {
  compare.push_back(std::move(condition));
  return *this;
}
TxnRequest& TxnRequest::then(RequestOp op) {
  success.push_back(std::move(op));
  return *this;
}
TxnRequest& TxnRequest::otherwise(RequestOp op) {
  failure.push_back(std::move(op));
  return *this;
}

}  // namespace minigrpc::etcd
