#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"

namespace core {

/// The buffers that the kernel fills for multishot receives (IORING_REGISTER_PBUF_RING), each a block that goes back to the
/// kernel when its last slice is gone.
class ReceiveBuffers final : public BlockOwner {
 public:
  static constexpr uint16_t kGroup = 0;

  ReceiveBuffers() = default;
  ~ReceiveBuffers();
  /// Registers `count` (a power of two) buffers of `bytes` each.
  absl::Status Register(io_uring& ring, uint32_t count, uint32_t bytes);
  /// What the kernel put into buffer `index`.
  Slice Take(uint16_t index, size_t bytes);
  /// Gives back to the kernel what was recycled since the last call.
  void Publish();
  /// Buffers that the kernel has, or that its completions not yet looked at name.
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
  size_t unpublished_ = 0;
  size_t out_ = 0;  // held by slices
};

}  // namespace core
