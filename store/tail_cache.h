#pragma once

#include <cstdint>
#include <deque>

#include "core/buffer.h"

namespace store {

/// The newest batches of a log, as they lie in the append buffers: what tail reads are slices of.
class TailCache {
 public:
  /// `bytes` begin at `position`, at or behind the end of all before.
  void Add(uint64_t position, core::Slice bytes);
  /// [position, position + length) or an empty slice.
  core::Slice Find(uint64_t position, size_t length) const;
  /// Lets go of the oldest until at most `bytes_max` are held; keeps all that end above `keep_from`.
  void Trim(size_t bytes_max, uint64_t keep_from);
  size_t bytes() const { return bytes_; }

 private:
  struct Piece {
    uint64_t position;
    core::Slice bytes;
  };
  std::deque<Piece> pieces_;
  size_t bytes_ = 0;
};

}  // namespace store
