// Manual time: stops the clock of every loop of the process, and moves it by hand. For tests that wait for
// hours.
//
// Thread rule: any thread but a loop's.
#pragma once

#include <minigrpc/context.h>

namespace minigrpc::net {

// From now on Loop::now() stands still. Asserted: it went by itself, and no loop lives.
void stop_time();
// It goes by itself again. Asserted: no loop lives.
void release_time();
// Moves on to `until`, stopping at the time of each timer on the way, so that one which arms itself again
// fires as often as it would have. Returns when all that were due have run; what they set off may still go
// on. Loops do not end meanwhile.
void move_time(TimePoint until);

}  // namespace minigrpc::net
