#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "net/limits.h"

namespace net {

/// What an operator may set of the limits of any server; a server's configuration derives from it and takes the rows of server_settings.inc into its list
/// of settings. Numbers of connections are of the whole process.
struct ServerSettings {
  absl::Duration server_channel_max_idle = absl::Seconds(120);
  int32_t connections_max = 20000;
  int32_t connections_per_address_max = 2000;  // loopback has no such limit
  int32_t accepts_per_second_max = 2000;
  absl::Duration frame_timeout = absl::Seconds(15);
  absl::Duration output_stall_timeout = absl::Seconds(30);
};

/// What one of `shards` shards grants; the limits that ServerSettings does not have as ServerLimits has them.
ServerLimits LimitsOf(const ServerSettings& settings, size_t shards);

}  // namespace net
