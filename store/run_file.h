#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/assert.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/task.h"
#include "store/run_page.h"

namespace store {

/// A sorted run that can be read: block 0 is the header of its kind, then come its pages (run_page.h). Written once. One shard; close it.
template <typename Entry>
class RunFile {
 public:
  /// `fences_max`: of so many pages searches remember where they begin.
  RunFile(core::File file, uint32_t mark, uint64_t entries, size_t fences_max)
      : file_(std::move(file)), mark_(mark), entries_(entries), fences_max_(fences_max) {}

  core::Task<absl::Status> Close() { return file_.Close(); }
  const std::string& path() const { return file_.path(); }
  uint64_t entries() const { return entries_; }
  uint64_t pages() const { return (entries_ + kRunPageEntries - 1) / kRunPageEntries; }

  /// Appends the entries of `count` pages from `first` on (fewer at the end). kDataLoss: one of them is damaged.
  core::Task<absl::Status> Read(uint64_t first, size_t count, std::vector<Entry>& entries) {
    if (first >= pages()) co_return absl::OkStatus();
    count = std::min<uint64_t>(count, pages() - first);
    const core::Slice memory = core::Reactor::Current().buffers().Allocate(count * kBlock);
    const absl::Status read = co_await file_.ReadExactlyAt((1 + first) * kBlock, {memory.data(), count * kBlock});
    if (absl::IsOutOfRange(read)) co_return Damaged(absl::DataLossError(read.message()));  // it was cut short
    CO_RETURN_IF_ERROR(read);
    for (size_t i = 0; i < count; ++i) {
      const size_t before = entries.size();
      const absl::Status parsed =
          ParseRunPage(memory.bytes().subspan(i * kBlock, kBlock), mark_, static_cast<uint32_t>(first + i), entries);
      if (!parsed.ok()) co_return Damaged(parsed);
      const uint64_t wanted = std::min<uint64_t>(kRunPageEntries, entries_ - (first + i) * kRunPageEntries);
      if (entries.size() - before != wanted)
        co_return Damaged(absl::DataLossError("a page has not all of its entries"));
    }
    co_return absl::OkStatus();
  }

  /// The number of the first entry that is not below `least`. Mostly one read, once searches have passed through the upper levels.
  core::Task<absl::StatusOr<uint64_t>> LowerBound(Entry least) {
    uint64_t low = 0;  // the last page whose first entry is below, or the first page
    uint64_t high = pages();
    std::vector<Entry> page;
    while (high - low > 1) {
      const uint64_t middle = low + (high - low) / 2;
      auto fence = fences_.find(middle);
      if (fence == fences_.end()) {
        page.clear();
        CO_RETURN_IF_ERROR(co_await Read(middle, 1, page));
        if (fences_.size() == fences_max_) fences_.clear();
        fence = fences_.try_emplace(middle, page.front()).first;
      }
      (fence->second < least ? low : high) = middle;
    }
    page.clear();
    CO_RETURN_IF_ERROR(co_await Read(low, 1, page));
    const auto found = std::lower_bound(page.begin(), page.end(), least);
    co_return low* kRunPageEntries + static_cast<uint64_t>(found - page.begin());
  }

 private:
  absl::Status Damaged(const absl::Status& status) const { return core::Annotate(status, file_.path()); }

  core::File file_;
  const uint32_t mark_;
  const uint64_t entries_;
  const size_t fences_max_;
  /// First entries of the pages that searches have passed through: of those that all of them pass through.
  absl::flat_hash_map<uint64_t, Entry> fences_;
};

/// Writes the file of a run: entries in ascending order, then Finish. Whoever gives it up calls Abandon.
template <typename Entry>
class RunFileWriter {
 public:
  /// `file` is new and empty.
  RunFileWriter(core::File file, uint32_t mark)
      : file_(std::move(file)), mark_(mark), buffer_(core::Reactor::Current().buffers().Allocate(kWriteBytes)) {
    page_.reserve(kRunPageEntries);
  }

  void Add(const Entry& entry) {
    CORE_DEBUG_ASSERT(!full());
    page_.push_back(entry);
    ++entries_;
    if (page_.size() == kRunPageEntries) ClosePage();
  }
  /// So much is gathered that Write is to be called before the next Add.
  bool full() const { return filled_ == buffer_.size(); }
  core::Task<absl::Status> Write() {
    const absl::Status status = co_await file_.WriteAt(offset_, {buffer_.data(), filled_}, false);
    offset_ += filled_;
    filled_ = 0;
    co_return status;
  }
  uint64_t entries() const { return entries_; }

  /// Writes what is left, and `header` (one block) last: a file with a good header is whole, and on stable storage when this returns.
  core::Task<absl::Status> Finish(core::Slice header) {
    if (full()) CO_RETURN_IF_ERROR(co_await Write());
    if (!page_.empty()) ClosePage();
    if (filled_ > 0) CO_RETURN_IF_ERROR(co_await Write());
    CO_RETURN_IF_ERROR(co_await file_.Sync());
    co_return co_await file_.WriteAt(0, header.bytes(), true);
  }
  /// The file, open as it is. After Finish.
  core::File TakeFile() { return std::move(file_); }
  /// Leaves no file behind, if it can.
  core::Task<void> Abandon() {
    const std::string path = file_.path();
    (void)co_await file_.Close();
    (void)co_await core::fs::Remove(path);
  }

 private:
  static constexpr size_t kWriteBytes = 64 * kBlock;

  void ClosePage() {
    EncodeRunPage<Entry>(mark_, pages_++, page_, {buffer_.data() + filled_, kBlock});
    filled_ += kBlock;
    page_.clear();
  }

  core::File file_;
  const uint32_t mark_;
  core::Slice buffer_;
  std::vector<Entry> page_;
  uint32_t pages_ = 0;
  uint64_t entries_ = 0;
  size_t filled_ = 0;
  uint64_t offset_ = kBlock;
};

}  // namespace store
