#include "core/buffer.h"

#include <bit>
#include <new>

namespace core {

namespace {
constexpr size_t kPageBytes = 4096;

size_t AlignmentFor(size_t bytes) { return bytes >= kPageBytes ? kPageBytes : alignof(std::max_align_t); }
}  // namespace

/// A block waiting for reuse. The header is apart from the data, so that the data stays aligned and untouched.
struct BufferPool::FreeBlock {
  FreeBlock(BufferPool& pool, std::byte* data, size_t size, int cls) : block(pool, data, size), size_class(cls) {}
  BufferBlock block;
  FreeBlock* next = nullptr;
  int size_class;  // -1: larger than any class, never kept
};

BufferPool::~BufferPool() {
  for (FreeBlock* list : free_) {
    while (list != nullptr) {
      FreeBlock* item = list;
      list = item->next;
      ::operator delete(item->block.data(), std::align_val_t(AlignmentFor(item->block.size())));
      delete item;
    }
  }
}

Slice BufferPool::Allocate(size_t size) {
  CORE_ASSERT(size > 0);
  const int bits = static_cast<int>(std::bit_width(size - 1));
  const int wanted = bits < kClassMin ? kClassMin : bits;
  const bool pooled = wanted <= kClassMax;
  const size_t block_bytes = pooled ? size_t{1} << wanted : size;
  FreeBlock* item = nullptr;
  if (pooled && free_[wanted - kClassMin] != nullptr) {
    item = free_[wanted - kClassMin];
    free_[wanted - kClassMin] = item->next;
    bytes_kept_ -= block_bytes;
  } else {
    auto* data = static_cast<std::byte*>(::operator new(block_bytes, std::align_val_t(AlignmentFor(block_bytes))));
    item = new FreeBlock(*this, data, block_bytes, pooled ? wanted - kClassMin : -1);
  }
  bytes_out_ += block_bytes;
  return {&item->block, item->block.data(), size};
}

Slice BufferPool::Copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  Slice copy = Allocate(bytes.size());
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

void BufferPool::Recycle(BufferBlock* block) noexcept {
  static_assert(offsetof(FreeBlock, block) == 0);
  auto* item = reinterpret_cast<FreeBlock*>(block);
  bytes_out_ -= block->size();
  if (item->size_class >= 0 && bytes_kept_ + block->size() <= keep_bytes_max_) {
    item->next = free_[item->size_class];
    free_[item->size_class] = item;
    bytes_kept_ += block->size();
    return;
  }
  ::operator delete(block->data(), std::align_val_t(AlignmentFor(block->size())));
  delete item;
}

}  // namespace core
