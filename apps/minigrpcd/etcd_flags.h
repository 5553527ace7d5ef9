// The flags of etcd 3.4 to 3.6 that minigrpcd has no use for: accepted without effect, or refused with the reason.
//
// Thread rule: constants.
#pragma once

#include <span>
#include <string_view>

namespace minigrpcd {

struct EtcdFlag {
  std::string_view name;
  bool boolean = false;
  // Why it is refused, where a user would miss its effect; empty: it is accepted.
  std::string_view refusal{};
};

std::span<const EtcdFlag> etcd_flags();
// Null: etcd has no such flag, or minigrpcd has it, too.
const EtcdFlag* find_etcd_flag(std::string_view name);

// Whether a value asks for nothing: what etcd has by default, as start scripts and configuration files spell it out.
bool asks_for_nothing(std::string_view value);

}  // namespace minigrpcd
