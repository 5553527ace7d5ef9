// Every bound of the runtime, each beside the attack or the cost that it bounds.
//
// Thread rule: constants.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace minigrpc::limits {

// Free blocks that a thread keeps for each size class (detail/memory.h): memory after a burst of calls.
inline constexpr std::size_t kFreeBlocksPerClassMax = 4096;
// Bytes in the free large blocks, of more than a KiB, that a thread keeps: the same after large messages.
inline constexpr std::size_t kFreeLargeBlocksSizeMax = 16u << 20;

// Bytes that a peer may have under way on one stream before its reader takes them: memory of a slow reader.
inline constexpr std::uint32_t kStreamWindowSize = 512u << 10;
// How far that window grows on a path whose bandwidth times delay asks for it: 1 Gbit/s at 32 ms.
inline constexpr std::uint32_t kStreamWindowSizeMax = 4u << 20;
// The same for a connection, refilled as bytes arrive: bytes in flight on a fast, long path.
inline constexpr std::uint32_t kConnectionWindowSize = 8u << 20;
// Bytes kept of the reason that a GOAWAY gives.
inline constexpr std::size_t kGoawayDebugDataMax = 256;

// Names, values and 32 bytes each (RFC 9113, 6.5.2) of one header list: a header bomb. grpc-status-details-bin and
// long tokens still fit.
inline constexpr std::uint32_t kHeaderListSizeMax = 64u << 10;

// Fields of a header block that a connection remembers for the next, and how large one may be: memory of many
// idle connections.
inline constexpr std::size_t kFieldsRememberedMax = 16;
inline constexpr std::size_t kFieldRememberedSizeMax = 256;

// Bytes of a request's headers that a connection keeps to know them again in the next: the same.
inline constexpr std::size_t kRepeatedHeadersSizeMax = 1u << 10;

// Streams that a connection remembers to have reset: memory, where a client has all its streams reset. Also those that its
// peer has reset, and the gaps in its ids, since the latest output: they are gone through with each frame on a known stream.
inline constexpr std::size_t kResetStreamsMax = 64;

// Bytes gathered for one write to a socket; more stays queued in its streams, where flow control sees it.
inline constexpr std::size_t kOutputSizeMax = 256u << 10;

// Bytes that wait in one stream before its writer waits too: memory of a slow peer.
inline constexpr std::size_t kStreamQueuedSizeMax = 64u << 10;

// One read from a socket; a loop has one such buffer for all its connections.
inline constexpr std::size_t kReceiveBufferSize = 256u << 10;
// Reads of one connection in a turn before the others have theirs: a fast sender that starves its neighbours.
inline constexpr int kReadsPerTurnMax = 4;
// Writes of one connection in a turn: the same for a fast reader.
inline constexpr int kWritesPerTurnMax = 4;

// CONTINUATION frames of one header block: a block that never ends (CVE-2024-27316).
inline constexpr std::size_t kContinuationsMax = 8;
// Answers to PING and SETTINGS that wait to be written: a peer that asks and does not read (CVE-2019-9512, -9515).
inline constexpr std::size_t kOutboundAcksMax = 1000;
// Streams that end in a reset, whoever sends it: work begun and thrown away (CVE-2023-44487, CVE-2025-8671). Hedging and
// short deadlines stay far below.
inline constexpr std::uint32_t kStreamResetsBurst = 10'000;
inline constexpr std::uint32_t kStreamResetsPerSecond = 1'000;
// Frames that bring nothing: SETTINGS, PRIORITY, DATA without a byte (CVE-2019-9513, -9515, -9518).
inline constexpr std::uint32_t kBarrenFramesBurst = 1'000;
inline constexpr std::uint32_t kBarrenFramesPerSecond = 100;
// Calls of a connection whose handlers may run, for each that its client may have open: handlers that go on while their
// client cancels and calls again.
inline constexpr std::size_t kCallsPerStreamMax = 2;

// How long a closing server connection may take to hand over its last bytes.
inline constexpr std::chrono::seconds kLingerMax{5};

// One file of certificates or keys; the system's roots have 200 KiB.
inline constexpr std::size_t kPemSizeMax = 4u << 20;
// What OpenSSL reads of a socket at a time: two full records.
inline constexpr std::size_t kTlsReadBufferSize = 33u << 10;

// How long a client may take to acknowledge a graceful GOAWAY before it is held to it.
inline constexpr std::chrono::milliseconds kDrainAckMax{5'000};
// Head start of one address over the next when several are tried (RFC 8305, section 5).
inline constexpr std::chrono::milliseconds kConnectStagger{250};

// Connections that the kernel queues for accept().
inline constexpr int kListenBacklog = 4096;
// How long the acceptor rests when the process has no descriptor left.
inline constexpr std::chrono::milliseconds kAcceptRetryDelay{100};

// How much larger than its compressed form a message is taken to be; where it is larger still, the room for
// it grows.
inline constexpr std::size_t kExpectedInflation = 4;
// Up to where the size is believed that a compressed message announces: a few bytes that promise gigabytes.
inline constexpr std::size_t kAnnouncedSizeBelievedMax = 8u << 20;
// The window of a zstd frame whose size is not announced, as a power of two: 128 MiB for a few bytes, where
// libzstd decides. 8 MiB is what RFC 8878 (3.1.1.1.2) asks every decoder to have.
inline constexpr int kZstdWindowLogMax = 23;

// Bytes of sent messages that a call keeps, to send them again where no server has seen them.
inline constexpr std::size_t kReplaySizeMax = 16u << 10;
// The same for a call with a retryPolicy or a hedgingPolicy: memory of many large calls that wait for their answers.
inline constexpr std::size_t kRetryBufferSizeMax = 256u << 10;
// How often a call is sent, whatever its policy says (gRPC A6, "Maximum Number of Retries"): load on a sick service.
inline constexpr int kCallAttemptsMax = 5;
// A service config, which a resolver may have from anybody who may write in its registry: parsing a huge one.
inline constexpr std::size_t kServiceConfigSizeMax = 256u << 10;

// What a server reports by itself of its load: a server that names resources without end.
inline constexpr std::size_t kLoadReportSizeMax = 64u << 10;

// Calls of one channel that wait for a connection: a dead backend under load.
inline constexpr std::size_t kPendingCallsMax = 100'000;
// How often a call is sent again that never left this side (gRPC A6, "transparent retries"; there without a
// bound).
inline constexpr int kUnsentRetriesMax = 5;
// … and one that a server has refused before its application saw it: a server that refuses does so since it
// has enough.
inline constexpr int kRefusedRetriesMax = 1;

// Updates of one watch that wait for Watcher::next(); its stream is not read meanwhile: memory of a slow user.
inline constexpr std::size_t kWatchUpdatesQueuedMax = 64;

// Bytes of an instance's value in the registry, where anybody may write one: parsing a huge one.
inline constexpr std::size_t kInstanceValueSizeMax = 64u << 10;

// Events that channelz keeps of a channel, a subchannel or a server, and the bytes of one's text: memory of many
// endpoints that come and go, whose failures quote what others said.
inline constexpr std::size_t kTraceEventsMax = 32;
inline constexpr std::size_t kTraceTextSizeMax = 256;
// What one page of channelz lists: messages beyond what a client takes, and the time under the registry's lock.
inline constexpr std::size_t kChannelzPageSizeMax = 100;

}  // namespace minigrpc::limits
