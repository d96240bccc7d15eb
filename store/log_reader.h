#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "core/task.h"
#include "store/segment.h"

namespace store {

/// Reads segments from front to back for recovery, in large pieces. Blocks that the device can't read are taken as zeros and counted, so
/// that one bad sector costs what lies in it and no more.
class LogReader {
 public:
  /// `bytes` at log position `position` of `segment`, which holds them. Valid until the next call.
  core::Task<std::span<const std::byte>> Read(Segment& segment, uint64_t position, size_t bytes);
  /// What was read may have changed.
  void Forget() { segment_ = nullptr; }
  uint64_t unreadable_bytes() const { return unreadable_bytes_; }
  /// Those of them that lie in [begin, end).
  uint64_t UnreadableBytes(uint64_t begin, uint64_t end) const;
  /// Whether a block of [position, position + bytes) could not be read.
  bool Unreadable(uint64_t position, uint64_t bytes) const;

 private:
  core::Task<void> Fill(Segment& segment, uint64_t offset, std::span<std::byte> into);

  core::Slice buffer_;
  const Segment* segment_ = nullptr;
  uint64_t begin_ = 0;  // log position of the first byte held
  size_t held_ = 0;
  uint64_t unreadable_bytes_ = 0;
  struct Range {
    uint64_t begin;
    uint64_t end;
  };
  std::vector<Range> unreadable_;  // log positions
};

}  // namespace store
