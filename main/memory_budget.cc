#include "main/memory_budget.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "core/strings.h"

namespace ringmq {

absl::StatusOr<uint64_t> ParseSize(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  uint64_t factor = 1;
  if (!unit.empty()) {
    constexpr std::string_view kUnits = "KMGT";
    const size_t power = kUnits.find(static_cast<char>(unit.front() & ~0x20));
    if (power != std::string_view::npos) {
      factor = uint64_t{1} << (10 * (power + 1));
      unit.remove_prefix(1);
    }
    if (unit == "B" || unit == "b" || (factor > 1 && unit == "iB")) unit = {};
  }
  if (error != std::errc() || !unit.empty() || value == 0 || value > UINT64_MAX / factor) {
    return absl::InvalidArgumentError(core::StrCat("'", text, "' is not a size: write for instance 512M or 2G"));
  }
  return value * factor;
}

uint64_t DefaultMemory(uint64_t limit, size_t shards) {
  const uint64_t most = std::max(uint64_t{256} << 20, (uint64_t{32} << 20) * shards);
  return std::max(std::min(limit / 6, most), kShardBytesMin * shards);
}

absl::StatusOr<MemoryBudget> SplitMemory(uint64_t bytes, size_t shards) {
  const uint64_t each = bytes / shards;
  if (each < kShardBytesMin) {
    return absl::InvalidArgumentError(core::StrCat(bytes >> 20, " MiB of memory are too little for ", shards,
                                                   " shards: give at least ", (kShardBytesMin * shards) >> 20,
                                                   "M, or fewer shards"));
  }
  MemoryBudget budget;
  budget.append_buffer_bytes = each / 2;
  budget.read_cache_bytes = each / 4;
  budget.receive_buffer_bytes = 32 << 10;
  // Receive buffers are few and quickly given back; more than 1,024 only cool the cache.
  budget.receive_buffers = static_cast<uint32_t>(
      std::bit_floor(std::clamp<uint64_t>(each / 8 / budget.receive_buffer_bytes, 32, 1024)));
  budget.pool_keep_bytes = each / 8;
  return budget;
}

}  // namespace ringmq
