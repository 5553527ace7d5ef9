// Test kit: what a program's own tests bring about on purpose: hours that pass at once, and networks that fail.
//
//   FakeClock clock;                            // before the Runtime
//   Runtime runtime;
//   ...
//   clock.advance(10min);                       // each keepalive, deadline and pause of that time is over
//
//   FaultyLink link(server_address);
//   Channel channel(runtime, link.address());
//   link.cut();                                 // as when a cable is pulled out
//
// A registry inside the test's process is minigrpc/registry.h's, with an empty `data_dir`.
//
// Thread rule: any thread, but an event loop's: they wait for the loops.
#pragma once

#include <minigrpc/context.h>
#include <minigrpc/result.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace minigrpc::test_kit {

// While it exists, the time of every Runtime of the process stands still, and moves by advance(): deadlines,
// sleeps, keepalive, connection ages, retries' and reconnections' pauses, health checks, the registrations
// and watches of discovery. Of what runs in the process only a Registry keeps to the system's time, as it
// would in a process of its own.
//
// Asserted: made before the first Runtime or FaultyLink and destroyed after the last; one at a time.
class FakeClock {
 public:
  FakeClock();
  ~FakeClock();
  FakeClock(const FakeClock&) = delete;
  FakeClock& operator=(const FakeClock&) = delete;

  TimePoint now() const;
  // Stops on the way at the time of each timer that falls due. When it returns those have run; what they set
  // off, such as bytes that travel to a peer, may still be going on: wait for its effect. No Runtime ends
  // meanwhile. Not negative.
  void advance(std::chrono::nanoseconds duration);
};

// A network path that fails on demand: a port on the loopback interface, from which each connection is passed
// on to a target. What the functions below say holds for the connections that there are and for new ones,
// from when they return.
class FaultyLink {
 public:
  enum class Direction : std::uint8_t { kToTarget, kFromTarget };
  struct Counters {
    std::uint64_t connections = 0;  // accepted since the beginning
    std::uint64_t open = 0;         // of these, those that still are
    std::uint64_t bytes_to_target = 0;
    std::uint64_t bytes_from_target = 0;
  };

  // `target`: "host:port", "unix:/path" or "in-process:name"; need not be there yet. Ends the program where
  // it is no address, or no port can be had.
  explicit FaultyLink(std::string_view target);
  // Ends its connections.
  ~FaultyLink();
  FaultyLink(const FaultyLink&) = delete;
  FaultyLink& operator=(const FaultyLink&) = delete;

  // "127.0.0.1:41233".
  const std::string& address() const;

  // Every fault is over; what waited goes on.
  void pass();
  // Resets every connection, and each new one at once.
  void cut();
  // Keeps connections and takes new ones, but no byte arrives at either side, and nobody is told.
  void hang();
  // Resets the connections that there are; new ones pass.
  void reset_connections();
  // Every byte arrives so much later. Goes by a FakeClock where there is one.
  void set_delay(std::chrono::milliseconds one_way);
  // How many bytes a second pass in each direction of each connection; 0 = no bound.
  void set_bandwidth(std::size_t bytes_per_second);
  // Once so many further bytes have passed in that direction, over all connections, the connection that they
  // passed on is reset; after that the link passes again.
  void reset_after(Direction direction, std::size_t bytes);
  // The first bit of the byte after so many further bytes in that direction arrives inverted.
  void corrupt_after(Direction direction, std::size_t bytes);

  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minigrpc::test_kit
