// Turn: what a connection fills while it is read from and written for, and seldom needs in between.
//
// Connections of one loop take turns, so they can lend each other one: an idle connection then has none, and
// a busy one finds it warm. Thread rule: the connections'.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/header_view.h"
#include "h2/event.h"

struct nghttp2_rcbuf;

namespace minigrpc::h2 {

struct Turn {
  std::vector<Event> events;
  std::vector<Event> taken;
  // Header fields of the events not yet taken, then of the block being received. Their bytes are nghttp2's,
  // held by reference counts in the connection's memories or in `held`.
  std::vector<HeaderView> fields;
  std::vector<HeaderView> taken_fields;
  std::vector<nghttp2_rcbuf*> held;
  std::vector<nghttp2_rcbuf*> taken_held;
  std::vector<std::byte> output;

  bool is_empty() const {
    return events.empty() && taken.empty() && fields.empty() && taken_fields.empty() && held.empty() &&
           taken_held.empty() && output.empty();
  }
};

// The one that nobody has at the moment, if any.
struct SpareTurn {
  std::unique_ptr<Turn> turn;
};

}  // namespace minigrpc::h2
