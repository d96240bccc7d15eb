#include "net/server_settings.h"

namespace net {

ServerLimits LimitsOf(const ServerSettings& settings, size_t shards) {
  ServerLimits limits;
  limits.idle_timeout = settings.server_channel_max_idle;
  limits.connections_max = ShareOf(static_cast<size_t>(settings.connections_max), shards);
  limits.address_connections_max = ShareOf(static_cast<size_t>(settings.connections_per_address_max), shards);
  limits.accepts_per_second_max =
      static_cast<uint32_t>(ShareOf(static_cast<size_t>(settings.accepts_per_second_max), shards));
  limits.frame_deadline = settings.frame_timeout;
  limits.output_stall_timeout = settings.output_stall_timeout;
  return limits;
}

}  // namespace net
