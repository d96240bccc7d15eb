#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "core/assert.h"

namespace core {

class BufferBlock;

/// Takes a block back when its last reference is gone. Runs on the block's home shard.
class BlockOwner {
 public:
  virtual void Recycle(BufferBlock* block) noexcept = 0;

 protected:
  ~BlockOwner() = default;
};

/// A piece of memory with a count of the slices that point into it. The count is plain: a block lives and dies on
/// its home shard; another shard holds it through core::Foreign only.
class BufferBlock {
 public:
  BufferBlock(BlockOwner& owner, std::byte* data, size_t size) : owner_(&owner), data_(data), size_(size) {}
  BufferBlock(const BufferBlock&) = delete;
  BufferBlock& operator=(const BufferBlock&) = delete;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  uint32_t references() const { return references_; }
  void Retain() { ++references_; }
  void Release() {
    CORE_DEBUG_ASSERT(references_ > 0);
    if (--references_ != 0) return;
    if (held_ != nullptr) --*std::exchange(held_, nullptr);
    owner_->Recycle(this);
  }
  /// Counts the block in `*held` from now until its last slice is gone.
  void CountWhileHeld(size_t& held) {
    CORE_DEBUG_ASSERT(references_ > 0 && held_ == nullptr);
    held_ = &held;
    ++held;
  }

 private:
  BlockOwner* owner_;
  std::byte* data_;
  size_t size_;
  uint32_t references_ = 0;
  size_t* held_ = nullptr;
};

/// A counted reference to some bytes of a block. Cheap to copy and to cut; one shard. An empty slice has no block.
class Slice {
 public:
  Slice() = default;
  Slice(BufferBlock* block, std::byte* data, size_t size) : block_(block), data_(data), size_(size) {
    if (block_ != nullptr) block_->Retain();
  }
  Slice(const Slice& other) : Slice(other.block_, other.data_, other.size_) {}
  Slice(Slice&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Slice() {
    if (block_ != nullptr) block_->Release();
  }

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  BufferBlock* block() const { return block_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  /// `length` bytes from `offset`; both must lie inside.
  Slice Sub(size_t offset, size_t length) const {
    CORE_ASSERT(offset <= size_ && length <= size_ - offset);
    return {block_, data_ + offset, length};
  }
  void RemovePrefix(size_t count) {
    CORE_ASSERT(count <= size_);
    data_ += count;
    size_ -= count;
  }
  void RemoveSuffix(size_t count) {
    CORE_ASSERT(count <= size_);
    size_ -= count;
  }

 private:
  BufferBlock* block_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// The memory of one shard's buffers: blocks of powers of two from 1 KiB to 32 MiB, aligned to 4 KiB from 4 KiB on. Counts what is out, so that budgets
/// and metrics can be built on it. Free blocks are kept for reuse, up to `keep_bytes_max` whatever is out, and beyond that as long as all blocks, out and
/// kept, take no more than `total_bytes`: fresh large blocks cost their page faults. The sizes share what is kept: one that is no longer asked for gives way.
class BufferPool final : public BlockOwner {
 public:
  explicit BufferPool(size_t keep_bytes_max, size_t total_bytes = 0) : keep_bytes_max_(keep_bytes_max), total_bytes_(total_bytes) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  /// A fresh slice of exactly `size` > 0 bytes (its block may be larger; contents undefined). Aligned to 4,096 bytes if
  /// `size` >= 4,096. Memory is the caller's to budget: this never fails but for an out-of-memory abort.
  Slice Allocate(size_t size);
  /// A slice with a copy of `bytes`; empty for empty.
  Slice Copy(std::span<const std::byte> bytes);
  Slice Copy(std::string_view text) { return Copy(std::as_bytes(std::span(text.data(), text.size()))); }

  size_t bytes_out() const { return bytes_out_; }
  size_t bytes_kept() const { return bytes_kept_; }

  void Recycle(BufferBlock* block) noexcept override;

 private:
  static constexpr int kClassMin = 10;  // 1 KiB
  static constexpr int kClassMax = 25;  // 32 MiB
  static constexpr size_t kClasses = kClassMax - kClassMin + 1;
  static constexpr int kReleasesMax = 32;  // at a time: a shard is not to stop for what has to give way
  struct FreeBlock;
  struct Class {
    FreeBlock* free = nullptr;
    size_t bytes = 0;  // of all free blocks
  };

  bool HasRoom(size_t bytes) const;
  bool MakeRoom(size_t size_class, size_t bytes);
  Class& Most();
  FreeBlock* Take(Class& from);
  static void Release(FreeBlock* item);

  size_t keep_bytes_max_;
  size_t total_bytes_;
  size_t bytes_out_ = 0;
  size_t bytes_kept_ = 0;
  Class classes_[kClasses];
};

}  // namespace core
