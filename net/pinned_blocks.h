#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"

namespace net {

/// What the unsent answers of one shard's connections keep in memory: whole blocks (a window or a chunk of the log for perhaps one small record),
/// each counted once however many answers lie in it. One shard.
class PinnedBlocks {
 public:
  explicit PinnedBlocks(size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Counts the block, of `bytes`, once more. False when it is a further one and there is no room for it: the caller copies what it needs instead.
  bool Pin(const void* block, size_t bytes);
  void Unpin(const void* block);
  size_t bytes() const { return bytes_; }
  /// How often there was no room.
  uint64_t refused() const { return refused_; }

 private:
  struct Entry {
    size_t bytes = 0;
    uint32_t pins = 0;
  };
  const size_t bytes_max_;
  size_t bytes_ = 0;
  uint64_t refused_ = 0;
  absl::flat_hash_map<const void*, Entry> blocks_;
};

}  // namespace net
