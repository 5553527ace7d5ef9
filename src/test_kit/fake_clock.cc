#include <minigrpc/test_kit.h>

#include "net/loop.h"
#include "net/manual_time.h"

namespace minigrpc::test_kit {

FakeClock::FakeClock() { net::stop_time(); }
FakeClock::~FakeClock() { net::release_time(); }
TimePoint FakeClock::now() const { return net::Loop::now(); }
void FakeClock::advance(std::chrono::nanoseconds duration) {
  detail::require(duration.count() >= 0, "time cannot go back");
  net::move_time(now() + std::chrono::duration_cast<TimePoint::duration>(duration));
}

}  // namespace minigrpc::test_kit
