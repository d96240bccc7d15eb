#include "broker/server_limits.h"

#include <algorithm>

namespace broker {
namespace {

constexpr size_t kPartialBytesMin = size_t{2} << 20;
constexpr size_t kHeldPullBytes = 2048;
constexpr size_t kHeldPullsMost = 100'000;
/// Of a batch of one: its place in memory, its row and the row's key, twice.
constexpr size_t kPopMessageBytes = 512;
constexpr size_t kPopMessagesMin = 1024;
constexpr size_t kRequestsMin = 4096;
/// A request with its coroutines.
constexpr size_t kRequestCost = 4096;

size_t Or(int64_t given, size_t otherwise) { return given > 0 ? static_cast<size_t>(given) : otherwise; }

}  // namespace

net::ServerLimits ServerLimitsOf(const BrokerConfig& config, size_t shards) {
  const size_t half = config.append_buffer_bytes;  // half of what the shard has (main/memory_budget.h)
  net::ServerLimits limits = net::LimitsOf(config, shards);
  limits.requests_max = static_cast<uint32_t>(config.requests_per_connection_max);
  limits.request_bytes_max = static_cast<size_t>(config.request_bytes_per_connection_max);
  limits.output_bytes_max = static_cast<size_t>(config.output_bytes_per_connection_max);
  limits.partial_bytes_max = Or(config.partial_frame_bytes_max, std::max(half / 4, kPartialBytesMin));
  limits.address_partial_bytes_max = limits.partial_bytes_max / 4;
  limits.shard_requests_max = Or(config.requests_max, std::max(half / kRequestCost, kRequestsMin));
  limits.shard_request_bytes_max = Or(config.request_bytes_max, half);
  limits.shard_answer_bytes_max = Or(config.answer_bytes_max, half);
  limits.shard_output_bytes_max = std::max(limits.shard_answer_bytes_max / 2, net::kSmallFrame);
  limits.pinned_bytes_max = half;
  return limits;
}

size_t HeldPullsMax(const BrokerConfig& config) {
  return Or(config.held_pulls_max, std::min(config.append_buffer_bytes / kHeldPullBytes, kHeldPullsMost));
}

size_t PopMessagesMax(const BrokerConfig& config) {
  return Or(config.pop_messages_max, std::max(config.append_buffer_bytes / kPopMessageBytes, kPopMessagesMin));
}

size_t PullReadBytesMax(const BrokerConfig& config) { return config.append_buffer_bytes / 4; }

size_t KeyTableEntries(const BrokerConfig& config) {
  return std::clamp<size_t>(config.append_buffer_bytes >> 10, size_t{4} << 10, size_t{64} << 10);
}

size_t BusyBufferBytes(const BrokerConfig& config) {
  const size_t three_times = config.append_buffer_bytes * 6;
  return three_times / 100 * static_cast<size_t>(config.memory_busy_ratio);
}

}  // namespace broker
