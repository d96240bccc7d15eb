#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"

namespace core {

/// The buffers that the kernel fills for multishot receives (IORING_REGISTER_PBUF_RING), each a block that comes home when its last slice is
/// gone. The kernel uses them in turn, so it is lent only a part of them, those used last: they are still in the processor's caches.
class ReceiveBuffers final : public BlockOwner {
 public:
  static constexpr uint16_t kGroup = 0;

  ReceiveBuffers();
  ~ReceiveBuffers();
  /// Registers `count` (a power of two) buffers of `bytes` each.
  absl::Status Register(io_uring& ring, uint32_t count, uint32_t bytes);
  /// What the kernel put into buffer `index`.
  Slice Take(uint16_t index, size_t bytes);
  /// Fills up what the kernel has, from what is at home.
  void Publish();
  /// The kernel found none: it is lent more from now on.
  void Starved();
  /// Buffers that no slice holds.
  size_t free() const { return count_ - out_; }

  void Recycle(BufferBlock* block) noexcept override;

 private:
  io_uring* ring_ = nullptr;
  io_uring_buf_ring* shared_ = nullptr;
  size_t shared_bytes_ = 0;
  uint32_t count_ = 0;
  uint32_t bytes_ = 0;
  std::byte* memory_ = nullptr;
  std::vector<std::unique_ptr<BufferBlock>> blocks_;
  std::vector<uint16_t> home_;  // the last used at the back
  size_t lent_ = 0;             // the kernel's, or named by its completions not yet looked at
  size_t lent_max_;
  uint32_t calm_ = 0;           // calls of Publish in a row that found most of them unused
  size_t out_ = 0;              // held by slices
};

}  // namespace core
