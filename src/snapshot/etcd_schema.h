// The buckets of etcd's database and the keys of their records, as etcd 3.4 to 3.6 read them.
//
//   key:   main(8) '_' sub(8) ['t' of a deletion] -> mvccpb.KeyValue     every version that is kept
//   meta:  scheduledCompactRev, finishedCompactRev -> main(8) '_' sub(8)
//          consistent_index, term -> number(8)      confState -> JSON
//   lease: id(8)                                  -> leasepb.Lease
//   auth, authRoles, authUsers, members, members_removed, cluster, alarm
//
// Numbers are big-endian. Thread rule: free functions and constants.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/types.h"

namespace minigrpc::snapshot {

namespace buckets {
inline constexpr std::string_view kAlarm = "alarm";
inline constexpr std::string_view kAuth = "auth";
inline constexpr std::string_view kAuthRoles = "authRoles";
inline constexpr std::string_view kAuthUsers = "authUsers";
inline constexpr std::string_view kCluster = "cluster";
inline constexpr std::string_view kKey = "key";
inline constexpr std::string_view kLease = "lease";
inline constexpr std::string_view kMembers = "members";
inline constexpr std::string_view kMembersRemoved = "members_removed";
inline constexpr std::string_view kMeta = "meta";
}  // namespace buckets

namespace meta_keys {
inline constexpr std::string_view kConfState = "confState";
inline constexpr std::string_view kConsistentIndex = "consistent_index";
inline constexpr std::string_view kFinishedCompact = "finishedCompactRev";
inline constexpr std::string_view kScheduledCompact = "scheduledCompactRev";
inline constexpr std::string_view kTerm = "term";
}  // namespace meta_keys

struct RevisionKey {
  store::Revision revision;
  bool tombstone = false;
};

std::string number(std::uint64_t value);
std::string revision_key(RevisionKey key);

// nullopt for anything else; a sub revision beyond 32 bits is nothing that etcd's limits allow.
std::optional<std::uint64_t> decode_number(std::string_view bytes);
std::optional<RevisionKey> decode_revision_key(std::string_view bytes);

}  // namespace minigrpc::snapshot
