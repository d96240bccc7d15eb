#include "core/buffer.h"

#include <algorithm>
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
  for (Class& each : classes_) {
    while (each.free != nullptr) Release(Take(each));
  }
}

BufferPool::FreeBlock* BufferPool::Take(Class& from) {
  FreeBlock* item = from.free;
  from.free = item->next;
  from.bytes -= item->block.size();
  bytes_kept_ -= item->block.size();
  return item;
}

void BufferPool::Release(FreeBlock* item) {
  ::operator delete(item->block.data(), std::align_val_t(AlignmentFor(item->block.size())));
  delete item;
}

Slice BufferPool::Allocate(size_t size) {
  CORE_ASSERT(size > 0);
  const int bits = static_cast<int>(std::bit_width(size - 1));
  const int wanted = bits < kClassMin ? kClassMin : bits;
  const bool pooled = wanted <= kClassMax;
  const size_t block_bytes = pooled ? size_t{1} << wanted : size;
  FreeBlock* item = nullptr;
  bytes_out_ += block_bytes;
  if (pooled && classes_[wanted - kClassMin].free != nullptr) {
    item = Take(classes_[wanted - kClassMin]);
  } else {
    for (int i = 0; i < kReleasesMax && !HasRoom(0); ++i) Release(Take(Most()));
    auto* data = static_cast<std::byte*>(::operator new(block_bytes, std::align_val_t(AlignmentFor(block_bytes))));
    item = new FreeBlock(*this, data, block_bytes, pooled ? wanted - kClassMin : -1);
  }
  return {&item->block, item->block.data(), size};
}

Slice BufferPool::Copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  Slice copy = Allocate(bytes.size());
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

bool BufferPool::HasRoom(size_t bytes) const {
  const size_t kept = bytes_kept_ + bytes;
  return kept <= keep_bytes_max_ || bytes_out_ + kept <= total_bytes_;
}

/// The size of which most is kept.
BufferPool::Class& BufferPool::Most() {
  return *std::max_element(classes_, classes_ + kClasses, [](const Class& a, const Class& b) { return a.bytes < b.bytes; });
}

/// Makes room for a block by releasing blocks of sizes of which more is kept than of its own, so that sizes in use don't push out each other. False when there is none
/// yet.
bool BufferPool::MakeRoom(size_t size_class, size_t bytes) {
  for (int i = 0; i < kReleasesMax && !HasRoom(bytes); ++i) {
    Class& most = Most();
    if (most.bytes <= classes_[size_class].bytes + bytes) return false;
    Release(Take(most));
  }
  return HasRoom(bytes);
}

void BufferPool::Recycle(BufferBlock* block) noexcept {
  static_assert(offsetof(FreeBlock, block) == 0);
  auto* item = reinterpret_cast<FreeBlock*>(block);
  const size_t bytes = block->size();
  bytes_out_ -= bytes;
  if (item->size_class < 0 || !MakeRoom(static_cast<size_t>(item->size_class), bytes)) return Release(item);
  Class& own = classes_[item->size_class];
  item->next = own.free;
  own.free = item;
  own.bytes += bytes;
  bytes_kept_ += bytes;
}

}  // namespace core
