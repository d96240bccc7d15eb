#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "net/frame.h"

namespace net {

/// What a server grants its peers: each connection, each address, and all connections of a shard together. Whoever is at a limit is made to wait by not being
/// read, and is closed when waiting would not help.
struct ServerLimits {
  size_t frame_bytes_max = kFrameBytesMax;

  // --- Of a connection.
  /// Requests whose handlers are at work; held pulls are not among them. Beyond, it is not read.
  uint32_t requests_max = 1024;
  size_t request_bytes_max = size_t{8} << 20;
  /// Waiting to be sent: beyond, it is not read, and no further pull is answered. One answer in any case.
  size_t output_bytes_max = size_t{1} << 20;
  absl::Duration idle_timeout = absl::Seconds(120);  // without a byte either way; infinite: never
  /// From the first byte of a frame to its last. A large one may take kFrameWindowsMax times as long while it comes with kFrameRateMin.
  absl::Duration frame_deadline = absl::Seconds(15);
  /// Without taking a byte of what it is sent; seen within a third more of it.
  absl::Duration output_stall_timeout = absl::Seconds(30);

  // --- Of an address, of this shard's connections.
  size_t address_connections_max = 2000;
  size_t address_partial_bytes_max = size_t{4} << 20;
  bool loopback_is_limited = false;  // whether these count for 127.0.0.0/8 and ::1 as well

  // --- Of the shard.
  size_t connections_max = 20000;  // beyond, accepted and closed
  /// Connections served a second; more wait in the backlog of the kernel.
  uint32_t accepts_per_second_max = 2000;
  /// Memory of frames that are not there yet as a whole. From half of it on, only one frame at a time grows beyond kSmallFrame; beyond it the
  /// oldest are closed.
  size_t partial_bytes_max = size_t{16} << 20;
  /// Requests under way. From half of these on, connections with more than their share are not read; beyond, none is.
  size_t shard_requests_max = 65536;
  size_t shard_request_bytes_max = size_t{64} << 20;
  /// Answers to pulls, from before they are read from the log until they are sent. Beyond, pulls wait; peers that do not take theirs are closed.
  size_t shard_answer_bytes_max = size_t{64} << 20;
  /// All other answers that are not sent yet. From half of it on, connections with more than kSmallFrame of them are not read; beyond, none is, and peers
  /// that do not take theirs are closed.
  size_t shard_output_bytes_max = size_t{32} << 20;
  /// Memory of the log that unsent answers keep from being freed; beyond, they are copied.
  size_t pinned_bytes_max = size_t{64} << 20;
};

/// What a frame, or the requests of one connection, may hold whatever the others do: most frames are smaller.
inline constexpr size_t kSmallFrame = size_t{64} << 10;
inline constexpr uint32_t kFewRequests = 32;
inline constexpr int64_t kFrameRateMin = 4096;  // bytes a second
inline constexpr int kFrameWindowsMax = 8;

/// One shard's share of what a whole process may have: the kernel spreads connections over the shards, but not evenly, so a quarter more.
inline constexpr size_t ShareOf(size_t total, size_t shards) {
  return shards <= 1 ? total : (total * 5 / 4 + shards - 1) / shards;
}

}  // namespace net
