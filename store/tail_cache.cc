#include "store/tail_cache.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace store {

void TailCache::Add(uint64_t position, core::Slice bytes) {
  CORE_DEBUG_ASSERT(pieces_.empty() || pieces_.back().position + pieces_.back().bytes.size() <= position);
  bytes_ += bytes.size();
  pieces_.push_back({position, std::move(bytes)});
}

core::Slice TailCache::Find(uint64_t position, size_t length) const {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), position,
                                      [](uint64_t at, const Piece& piece) { return at < piece.position; });
  if (after == pieces_.begin()) return {};
  const Piece& piece = *std::prev(after);
  const uint64_t offset = position - piece.position;
  if (offset >= piece.bytes.size() || length > piece.bytes.size() - offset) return {};
  return piece.bytes.Sub(offset, length);
}

void TailCache::Trim(size_t bytes_max, uint64_t keep_from) {
  while (bytes_ > bytes_max && !pieces_.empty() && pieces_.front().position + pieces_.front().bytes.size() <= keep_from) {
    bytes_ -= pieces_.front().bytes.size();
    pieces_.pop_front();
  }
}

}  // namespace store
