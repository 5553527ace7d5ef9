// get, put and del as requests: their flags, and what they make of arguments. Verbs and the lines of a txn
// share them.
//
// Errors are INVALID_ARGUMENT in etcdctl's words. Thread rule: one thread.
#pragma once

#include <minigrpc/etcd_types.h>

#include <functional>
#include <string>

#include "command_line.h"

namespace minigrpc::cli {

struct GetFlags {
  std::string consistency = "l";
  std::string order;
  std::string sort_by;
  std::int64_t limit = 0;
  std::int64_t rev = 0;
  std::int64_t min_create_rev = 0;
  std::int64_t max_create_rev = 0;
  std::int64_t min_mod_rev = 0;
  std::int64_t max_mod_rev = 0;
  bool prefix = false;
  bool from_key = false;
  bool keys_only = false;
  bool count_only = false;
  bool print_value_only = false;

  // Borrows *this.
  void add_to(FlagSet& flags);
  Result<etcd::RangeRequest> request(const Arguments& arguments) const;
};

struct PutFlags {
  std::string lease = "0";
  bool prev_kv = false;
  bool ignore_value = false;
  bool ignore_lease = false;

  void add_to(FlagSet& flags);
  // `read_value` gives the value where it is not among the arguments; empty stands for none.
  Result<etcd::PutRequest> request(const Arguments& arguments,
                                   const std::function<std::string()>& read_value) const;
};

struct DelFlags {
  bool prefix = false;
  bool from_key = false;
  bool prev_kv = false;

  void add_to(FlagSet& flags);
  Result<etcd::DeleteRangeRequest> request(const Arguments& arguments) const;
};

// A lease's number as people write it: hexadecimal, without 0x.
std::optional<etcd::LeaseId> parse_lease_id(std::string_view text);

}  // namespace minigrpc::cli
