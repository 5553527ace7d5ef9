// WaitingLine: the keys under "<name>/" stand in line, by the revision in which they were created; each belongs to a
// lease, so who dies leaves the line. Locks and elections are won by who is first. It is the scheme of etcd's own
// recipes, so their clients may stand in the same line.
//
// Thread rule: any loop; a line is one task's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "registry/access.h"
#include "registry/member.h"

namespace minigrpc::registry {

struct Place {
  std::string key;
  store::LeaseId lease = 0;
  std::int64_t create_revision = 0;
};

// The end of the range of all keys with this prefix, which ends with a slash.
std::string end_of_prefix(std::string prefix);

class WaitingLine {
 public:
  // `member` is borrowed. Who may not write the keys of the line, and see who else stands there, does not get in.
  WaitingLine(Member& member, Access access, std::string_view name)
      : member_(member), access_(std::move(access)), prefix_(std::string(name) + "/") {}

  // Takes the lease's place at the end, with `value`; a place that it has already is kept, and gets the value. Lease 0:
  // a new one, of etcd's 60 seconds. NOT_FOUND for a lease that does not exist.
  Task<Result<Place>> enter(store::LeaseId lease, std::string value);
  // Until the place is first; the revision at which that was so. FAILED_PRECONDITION when the place is gone, for its
  // lease has ended; UNAVAILABLE when the registry stops, which keeps the place; CANCELLED when the task was cancelled,
  // and then the place is given up.
  Task<Result<std::int64_t>> wait_first(Place place);

 private:
  // The key of who stands just before `place`, empty if nobody does.
  Result<std::string> one_ahead(const store::ReadView& view, const Place& place) const;

  Member& member_;
  const Access access_;
  const std::string prefix_;
};

}  // namespace minigrpc::registry
