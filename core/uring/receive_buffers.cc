#include "core/uring/receive_buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "core/status.h"

namespace core {
namespace {

/// Lent to the kernel at a time, at first: 512 KiB of 32 KiB each, more than usually arrives in a tick, less than a core's own cache holds.
constexpr size_t kLentAtFirst = 16;
/// A larger number is halved after so many quiet polls.
constexpr uint32_t kCalmPolls = 10'000;

}  // namespace

ReceiveBuffers::ReceiveBuffers() : lent_max_(kLentAtFirst) {}

absl::Status ReceiveBuffers::Register(io_uring& ring, uint32_t count, uint32_t bytes) {
  CORE_ASSERT((count & (count - 1)) == 0 && count <= 32768);
  count_ = count;
  bytes_ = bytes;
  shared_bytes_ = count * sizeof(io_uring_buf);
  void* shared = mmap(nullptr, shared_bytes_, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (shared == MAP_FAILED) return ErrnoStatus(errno, "memory for the ring of receive buffers");
  shared_ = static_cast<io_uring_buf_ring*>(shared);
  // Untouched pages cost nothing: memory follows the number of buffers that traffic really uses.
  void* memory = mmap(nullptr, size_t{count} * bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, "memory for receive buffers");
  memory_ = static_cast<std::byte*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(shared_);
  registration.ring_entries = count;
  registration.bgid = kGroup;
  const int result = io_uring_register_buf_ring(&ring, &registration, 0);
  if (result < 0) return ErrnoStatus(-result, "register receive buffers with io_uring");
  ring_ = &ring;
  io_uring_buf_ring_init(shared_);
  blocks_.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    blocks_.push_back(std::make_unique<BufferBlock>(*this, memory_ + size_t{i} * bytes, bytes));
    home_.push_back(static_cast<uint16_t>(count - 1 - i));
  }
  Publish();
  return absl::OkStatus();
}

ReceiveBuffers::~ReceiveBuffers() {
  if (ring_ != nullptr) io_uring_unregister_buf_ring(ring_, kGroup);
  if (shared_ != nullptr) munmap(shared_, shared_bytes_);
  if (memory_ != nullptr) munmap(memory_, size_t{count_} * bytes_);
}

Slice ReceiveBuffers::Take(uint16_t index, size_t bytes) {
  CORE_ASSERT(index < count_ && bytes <= bytes_);
  ++out_;
  --lent_;
  BufferBlock* block = blocks_[index].get();
  return {block, block->data(), bytes};
}

void ReceiveBuffers::Recycle(BufferBlock* block) noexcept {
  home_.push_back(static_cast<uint16_t>(static_cast<size_t>(block->data() - memory_) / bytes_));
  --out_;
}

void ReceiveBuffers::Starved() {
  lent_max_ = std::min<size_t>(2 * lent_max_, std::max<size_t>(count_, kLentAtFirst));
  calm_ = 0;
}

void ReceiveBuffers::Publish() {
  if (lent_max_ > kLentAtFirst) {
    calm_ = lent_ > lent_max_ / 2 ? calm_ + 1 : 0;
    if (calm_ >= kCalmPolls) {
      lent_max_ /= 2;
      calm_ = 0;
    }
  }
  int added = 0;
  while (lent_ < lent_max_ && !home_.empty()) {
    const uint16_t index = home_.back();
    home_.pop_back();
    io_uring_buf_ring_add(shared_, blocks_[index]->data(), bytes_, index, io_uring_buf_ring_mask(count_), added++);
    ++lent_;
  }
  if (added > 0) io_uring_buf_ring_advance(shared_, added);
}

}  // namespace core
