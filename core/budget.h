#pragma once

#include <cstddef>
#include <cstdint>

namespace core {

/// A resource of one shard that others use up: how much of it is in use, how much may be, and how often somebody was turned away, slowed down or
/// cut off for the want of it. Plain numbers; what happens at the limit is the owner's business. Metrics show all three.
struct Budget {
  size_t limit = SIZE_MAX;
  size_t used = 0;
  uint64_t hits = 0;

  bool full() const { return used >= limit; }
  /// Half of it is gone: time to stop those who have most.
  bool scarce() const { return used >= limit / 2; }
  size_t left() const { return used >= limit ? 0 : limit - used; }
};

}  // namespace core
