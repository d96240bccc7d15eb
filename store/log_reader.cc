#include "store/log_reader.h"

#include <algorithm>
#include <cstring>

#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"

namespace store {
namespace {

constexpr size_t kPieceBytes = size_t{2} << 20;

}  // namespace

core::Task<std::span<const std::byte>> LogReader::Read(Segment& segment, uint64_t position, size_t bytes) {
  CORE_ASSERT(position >= segment.position && bytes <= segment.limit() - position);
  if (segment_ != &segment || position < begin_ || position + bytes > begin_ + held_) {
    const uint64_t begin = RoundDown(position, kBlock);
    const uint64_t end = std::min(segment.limit(), std::max(RoundUp(position + bytes, kBlock), begin + kPieceBytes));
    if (buffer_.size() < end - begin) buffer_ = core::Reactor::Current().buffers().Allocate(end - begin);
    segment_ = &segment;
    begin_ = begin;
    held_ = end - begin;
    co_await Fill(segment, begin - segment.position, {buffer_.data(), held_});
  }
  co_return std::span<const std::byte>(buffer_.data() + (position - begin_), bytes);
}

bool LogReader::Unreadable(uint64_t position, uint64_t bytes) const {
  return std::any_of(unreadable_.begin(), unreadable_.end(),
                     [&](const Range& range) { return range.begin < position + bytes && range.end > position; });
}

uint64_t LogReader::UnreadableBytes(uint64_t begin, uint64_t end) const {
  uint64_t bytes = 0;
  for (const Range& range : unreadable_) bytes += std::clamp(range.end, begin, end) - std::clamp(range.begin, begin, end);
  return bytes;
}

core::Task<void> LogReader::Fill(Segment& segment, uint64_t offset, std::span<std::byte> into) {
  const absl::StatusOr<size_t> whole = co_await segment.log.ReadAt(offset, into);
  if (whole.ok()) {
    std::memset(into.data() + *whole, 0, into.size() - *whole);  // a file cut short
    co_return;
  }
  core::LogError("recovery: ", whole.status().ToString(), "; reading block by block");
  for (size_t at = 0; at < into.size(); at += kBlock) {
    const std::span<std::byte> block = into.subspan(at, kBlock);
    const absl::StatusOr<size_t> read = co_await segment.log.ReadAt(offset + at, block);
    const size_t good = read.ok() ? *read : 0;
    std::memset(block.data() + good, 0, block.size() - good);
    if (read.ok()) continue;
    unreadable_bytes_ += kBlock;
    const uint64_t begin = segment.position + offset + at;
    if (!unreadable_.empty() && unreadable_.back().end == begin) unreadable_.back().end += kBlock;
    else unreadable_.push_back({begin, begin + kBlock});
  }
}

}  // namespace store
