#include "net/pinned_blocks.h"

#include "core/assert.h"

namespace net {

bool PinnedBlocks::Pin(const void* block, size_t bytes) {
  const auto found = blocks_.find(block);
  if (found != blocks_.end()) {
    ++found->second.pins;
    return true;
  }
  if (bytes > bytes_max_ - bytes_) {
    ++refused_;
    return false;
  }
  bytes_ += bytes;
  blocks_.emplace(block, Entry{bytes, 1});
  return true;
}

void PinnedBlocks::Unpin(const void* block) {
  const auto found = blocks_.find(block);
  CORE_ASSERT(found != blocks_.end());
  if (--found->second.pins > 0) return;
  bytes_ -= found->second.bytes;
  blocks_.erase(found);
}

}  // namespace net
