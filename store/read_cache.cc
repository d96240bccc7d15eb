#include "store/read_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/mutant.h"

namespace store {
namespace {

constexpr size_t kReadAheadMax = 4;  // windows at once

bool Intact(const core::Slice& record, uint32_t crc) {
  if constexpr (kMutant == Mutant::kSkipCrcOnRead) return true;
  return Crc32c(record.bytes()) == crc;
}

}  // namespace

ReadCache::ReadCache(size_t bytes_max) : bytes_max_(std::max(bytes_max, 4 * kWindowBytes)) {}
ReadCache::~ReadCache() = default;

core::Task<void> ReadCache::Close() {
  scope_.RequestStop();
  co_await scope_.Join();
  while (!by_use_.empty()) Erase(*by_use_.back());
}

core::Task<absl::StatusOr<ReadCache::Window*>> ReadCache::Get(Segment& segment, Kind kind, uint64_t number, size_t need_end,
                                                              uint64_t readable_end) {
  const Key key{&segment, number * 2 + static_cast<uint64_t>(kind)};
  for (;;) {
    const auto found = windows_.find(key);
    if (found == windows_.end()) break;
    Window& window = *found->second;
    ++window.users;
    while (window.loading) (void)co_await window.loaded.Wait();
    if (!window.forgotten && window.status.ok() && window.bytes.size() >= need_end) {
      by_use_.splice(by_use_.begin(), by_use_, window.place);
      co_return &window;
    }
    // It ended with an error, or was read when less of the file was written: read again.
    if (!window.forgotten) Erase(window);
    Release(window);
  }
  auto made = std::make_unique<Window>();
  Window& window = *made;
  window.key = key;
  window.users = 1;
  by_use_.push_front(&window);
  window.place = by_use_.begin();
  windows_.emplace(key, std::move(made));
  co_await Load(segment, kind, window, readable_end);
  absl::Status status = window.status;
  if (status.ok() && window.bytes.size() < need_end) status = absl::DataLossError(core::StrCat(segment.log.path(), " ends too early"));
  if (!status.ok()) {
    if (!window.forgotten) Erase(window);
    Release(window);
    co_return status;
  }
  Trim();
  co_return &window;
}

core::Task<void> ReadCache::Load(Segment& segment, Kind kind, Window& window, uint64_t readable_end) {
  const uint64_t begin = window.key.number / 2 * kWindowBytes;
  core::File& file = kind == Kind::kLog ? segment.log : segment.index;
  ++segment.pins;
  if (begin < readable_end) {
    const size_t bytes = RoundUp(std::min<uint64_t>(kWindowBytes, readable_end - begin), kBlock);
    core::Slice memory = core::Reactor::Current().buffers().Allocate(bytes);
    absl::StatusOr<size_t> read = co_await file.ReadAt(begin, {memory.data(), memory.size()});
    if (read.ok()) {
      memory.RemoveSuffix(memory.size() - std::min<uint64_t>(*read, readable_end - begin));
      window.bytes = std::move(memory);
    } else {
      window.status = read.status();
    }
  }
  segment.Unpin();
  window.loading = false;
  if (!window.forgotten) bytes_ += window.bytes.size();
  window.loaded.NotifyAll();
}

void ReadCache::Erase(Window& window) {
  by_use_.erase(window.place);
  if (!window.loading) bytes_ -= window.bytes.size();
  window.forgotten = true;
  const auto found = windows_.find(window.key);
  if (window.users > 0 || window.loading) forgotten_.push_back(std::move(found->second));
  windows_.erase(found);
}

void ReadCache::Release(Window& window) {
  if (--window.users > 0 || !window.forgotten) return;
  std::erase_if(forgotten_, [&](const std::unique_ptr<Window>& one) { return one.get() == &window; });
}

void ReadCache::Trim() {
  while (bytes_ > bytes_max_) {
    // The oldest that nobody uses at the moment; slices already handed out keep their memory by themselves.
    auto oldest = std::find_if(by_use_.rbegin(), by_use_.rend(), [](const Window* w) { return w->users == 0 && !w->loading; });
    if (oldest == by_use_.rend()) return;
    Erase(**oldest);
  }
}

void ReadCache::Forget(const Segment& segment) {
  std::vector<Window*> gone;
  for (Window* window : by_use_) {
    if (window->key.segment == &segment) gone.push_back(window);
  }
  for (Window* window : gone) Erase(*window);
}

void ReadCache::ReadAhead(Segment& segment, Kind kind, uint64_t number, uint64_t readable_end) {
  if (ahead_ >= kReadAheadMax || scope_.stop_requested() || number * kWindowBytes >= readable_end) return;
  if (windows_.contains(Key{&segment, number * 2 + static_cast<uint64_t>(kind)})) return;
  ++ahead_;
  scope_.Spawn(ReadAheadOne(segment, kind, number, readable_end));
}

core::Task<void> ReadCache::ReadAheadOne(Segment& segment, Kind kind, uint64_t number, uint64_t readable_end) {
  const absl::StatusOr<Window*> window = co_await Get(segment, kind, number, 0, readable_end);
  --ahead_;
  if (window.ok()) Release(**window);
}

core::Slice ReadCache::Take(Segment& segment, Window& window, size_t begin, uint32_t bytes, uint32_t crc, uint64_t written) {
  uint64_t& word = window.proven[begin / 64 / 64];
  const uint64_t bit = uint64_t{1} << (begin / 64 % 64);
  core::Slice record = window.bytes.Sub(begin, bytes);
  if ((word & bit) == 0 && !Intact(record, crc)) return {};
  word |= bit;
  // A reader that has come to the middle of a window goes on into the next one.
  if (begin >= kWindowBytes / 2) ReadAhead(segment, Kind::kLog, window.key.number / 2 + 1, written);
  return record;
}

core::Slice ReadCache::ReadyRecord(Segment& segment, uint64_t offset, uint32_t bytes, uint32_t crc, uint64_t written) {
  const size_t begin = offset % kWindowBytes;
  if (begin + bytes > kWindowBytes) return {};
  const auto found = windows_.find(Key{&segment, offset / kWindowBytes * 2 + static_cast<uint64_t>(Kind::kLog)});
  if (found == windows_.end()) return {};
  Window& window = *found->second;
  if (window.loading || !window.status.ok() || window.bytes.size() < begin + bytes) return {};
  by_use_.splice(by_use_.begin(), by_use_, window.place);
  return Take(segment, window, begin, bytes, crc, written);
}

core::Task<absl::StatusOr<core::Slice>> ReadCache::ReadRecord(Segment& segment, uint64_t offset, uint32_t bytes, uint32_t crc,
                                                              uint64_t written) {
  const uint64_t number = offset / kWindowBytes;
  const size_t begin = offset % kWindowBytes;
  if (begin + bytes <= kWindowBytes) {
    absl::StatusOr<Window*> got = co_await Get(segment, Kind::kLog, number, begin + bytes, written);
    if (got.ok()) {
      core::Slice record = Take(segment, **got, begin, bytes, crc, written);
      Release(**got);
      if (record.empty()) co_return absl::DataLossError(core::StrCat(segment.log.path(), " is damaged at ", offset));
      co_return record;
    }
    // A block of the window that can't be read is to cost only what lies in that block.
  }
  // Across windows, or beside an unreadable block: read by itself.
  const uint64_t read_begin = RoundDown(offset, kBlock);
  const size_t read_bytes = RoundUp(offset + bytes, kBlock) - read_begin;
  core::Slice memory = core::Reactor::Current().buffers().Allocate(read_bytes);
  ++segment.pins;
  const absl::Status status = co_await segment.log.ReadExactlyAt(read_begin, {memory.data(), memory.size()});
  segment.Unpin();
  if (!status.ok()) co_return status;
  ReadAhead(segment, Kind::kLog, (offset + bytes) / kWindowBytes, written);
  core::Slice record = memory.Sub(offset - read_begin, bytes);
  if (!Intact(record, crc)) co_return absl::DataLossError(core::StrCat(segment.log.path(), " is damaged at ", offset));
  co_return record;
}

core::Task<absl::StatusOr<core::Slice>> ReadCache::ReadIndex(Segment& segment, uint64_t offset, size_t bytes) {
  const uint64_t number = offset / kWindowBytes;
  const size_t begin = offset % kWindowBytes;
  CORE_ASSERT(begin + bytes <= kWindowBytes);
  absl::StatusOr<Window*> got = co_await Get(segment, Kind::kIndex, number, begin + bytes, UINT64_MAX);
  if (!got.ok()) {  // beside an unreadable block
    const uint64_t read_begin = RoundDown(offset, kBlock);
    core::Slice memory = core::Reactor::Current().buffers().Allocate(RoundUp(offset + bytes, kBlock) - read_begin);
    ++segment.pins;
    const absl::Status status = co_await segment.index.ReadExactlyAt(read_begin, {memory.data(), memory.size()});
    segment.Unpin();
    if (!status.ok()) co_return status;
    co_return memory.Sub(offset - read_begin, bytes);
  }
  core::Slice slice = (*got)->bytes.Sub(begin, bytes);
  Release(**got);
  co_return slice;
}

}  // namespace store
