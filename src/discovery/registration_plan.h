// What a provider does about one of its keys, given what stands there. Pure.
//
//   absent ───────────────────────────────▶ put, if still absent
//   ours, as we put it ───────────────────▶ nothing
//   an operator's `disabled` ─────────────▶ nothing, until it is removed
//   our instance id, another lease
//     we have held it under this lease ───▶ nothing: a twin lives, and was last
//     we have not ────────────────────────▶ put, if unchanged: it is what we left behind before a restart
//   anything else
//     we have held it under this lease ───▶ put, if unchanged: somebody overwrote it
//     we have not ────────────────────────▶ nothing, until it is gone: a foreign key is never adopted
#pragma once

#include <minigrpc/discovery.h>

#include <optional>
#include <string>
#include <vector>

namespace minigrpc::discovery {

enum class Standing : std::uint8_t { kAbsent, kOurs, kDisabled, kTwin, kPredecessor, kOverwritten, kForeign };

// What we put, and under which lease.
struct OwnValue {
  std::string value{};
  std::string instance_id{};
  etcd::LeaseId lease = 0;
};

struct OwnKey {
  std::string key{};
  bool held = false;  // stood there as we want it, under this lease
  Standing standing = Standing::kAbsent;
};

Standing judge(const std::optional<etcd::KeyValue>& found, const OwnValue& own, bool held);

// Reads every key, in the order given.
etcd::TxnRequest read_keys(const std::vector<OwnKey>& keys);
// Takes in the answer to read_keys(). INTERNAL where it does not fit.
Status take_in(const etcd::TxnResponse& answer, const OwnValue& own, std::vector<OwnKey>& keys,
               etcd::TxnRequest& repair);
// Deletes those keys that hang on `lease`, all in one transaction.
etcd::TxnRequest delete_keys(const std::vector<OwnKey>& keys, etcd::LeaseId lease);

}  // namespace minigrpc::discovery
