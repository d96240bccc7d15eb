#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/sealed_index.h"
#include "store/shard_store_impl.h"

namespace store {
namespace {

constexpr size_t kWriteBytes = size_t{256} << 10;
/// Entries copied between two chances for everyone else.
constexpr int64_t kSliceEntries = 2048;
constexpr absl::Duration kSealRetry = absl::Seconds(5);

/// Writes one file from front to back through one aligned buffer.
class IndexWriter {
 public:
  IndexWriter(core::File& file, uint64_t segment_position)
      : file_(file), segment_position_(segment_position), buffer_(core::Reactor::Current().buffers().Allocate(kWriteBytes)) {
    page_.reserve(kIndexPageEntries);
  }

  core::Task<absl::Status> Add(std::span<const IndexEntry> entries) {
    for (const IndexEntry& entry : entries) {
      page_.push_back(entry);
      if (page_.size() == kIndexPageEntries) CO_RETURN_IF_ERROR(co_await EndPage());
    }
    co_return absl::OkStatus();
  }
  core::Task<absl::Status> EndPage() {
    if (page_.empty()) co_return absl::OkStatus();
    EncodeIndexPage(segment_position_, pages_++, page_, {buffer_.data() + filled_, kIndexPageBytes});
    page_.clear();
    filled_ += kIndexPageBytes;
    if (filled_ == kWriteBytes) co_return co_await Write();
    co_return absl::OkStatus();
  }
  core::Task<absl::Status> AddBytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t part = std::min(bytes.size(), kWriteBytes - filled_);
      std::memcpy(buffer_.data() + filled_, bytes.data(), part);
      filled_ += part;
      bytes.remove_prefix(part);
      if (filled_ == kWriteBytes) CO_RETURN_IF_ERROR(co_await Write());
    }
    co_return absl::OkStatus();
  }
  /// Fills up the last block and writes what is left.
  core::Task<absl::Status> Write() {
    const size_t bytes = RoundUp(filled_, kBlock);
    if (bytes == 0) co_return absl::OkStatus();
    std::memset(buffer_.data() + filled_, 0, bytes - filled_);
    const absl::Status status = co_await file_.WriteAt(offset_, {buffer_.data(), bytes}, false);
    offset_ += bytes;
    filled_ = 0;
    co_return status;
  }
  uint64_t end() const { return offset_ + filled_; }

 private:
  core::File& file_;
  const uint64_t segment_position_;
  core::Slice buffer_;
  size_t filled_ = 0;
  uint64_t offset_ = kBlock;  // block 0 comes last
  uint32_t pages_ = 0;
  std::vector<IndexEntry> page_;
};

const Run* RunIn(const Queue* queue, const Segment& segment, int64_t first) {
  if (queue == nullptr) return nullptr;
  const Run* run = queue->FindRun(first);
  return run != nullptr && run->segment == &segment && run->first == first ? run : nullptr;
}

}  // namespace

Segment* ShardStoreImpl::NextToSeal() const {
  for (size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_.at(i);
    if (&segment == &log_->active()) return nullptr;
    if (!segment.sealed && !segment.deleting && !segment.partly_read) return &segment;
  }
  return nullptr;
}

core::Task<void> ShardStoreImpl::SealLoop() {
  while (!scope_.stop_requested()) {
    Segment* segment = NextToSeal();
    if (segment == nullptr) {
      (void)co_await log_->rolled().Wait(scope_.stop_token());
      continue;
    }
    segment->sealing = true;
    ++segment->pins;
    absl::Status status = co_await log_->FlushTo(segment->end);
    // Before there is an index: with one, the next start does not look into the segment any more.
    if (status.ok()) co_await NoteFloors(*segment);
    if (status.ok()) status = co_await Seal(*segment);
    segment->sealing = false;
    segment->Unpin();
    if (status.ok() || scope_.stop_requested()) continue;
    if (!log_->failure().ok()) co_return;
    core::LogError("the index of ", segment->log.path(), " is not written: ", status.ToString());
    core::Sleep retry(kSealRetry, scope_.stop_token());
    (void)co_await retry;
  }
}

core::Task<std::vector<SealedRow>> ShardStoreImpl::RowsOf(const Segment& segment) {
  const auto before = [](const SealedRow& a, const SealedRow& b) {
    return std::tie(a.topic, a.queue_id, a.first) < std::tie(b.topic, b.queue_id, b.first);
  };
  std::set<SealedRow, decltype(before)> sorted;  // not sorted at the end: that is one long piece of work
  for (size_t left = segment.queues.size(); left > 0;) {  // from the back as in NoteFloors
    for (size_t taken = 0; taken < kQueueSlice && left > 0; ++taken) {
      const Queue& queue = *segment.queues[--left];
      for (const Run& run : queue.runs) {
        if (run.segment != &segment) continue;
        sorted.insert({.topic = queue.key.topic,
                       .queue_id = queue.key.queue_id,
                       .first = run.first,
                       .count = run.count,
                       .position = run.entries->at(0).position,
                       .time_min = run.time_min,
                       .time_max = run.time_max});
      }
    }
    co_await core::Yield();
    left = std::min(left, segment.queues.size());
  }
  std::vector<SealedRow> rows;
  rows.reserve(sorted.size());
  while (!sorted.empty()) {
    rows.push_back(std::move(sorted.extract(sorted.begin()).value()));
    if (rows.size() % kQueueSlice == 0) co_await core::Yield();
  }
  co_return rows;
}

core::Task<absl::Status> ShardStoreImpl::Seal(Segment& segment) {
  std::vector<SealedRow> rows = co_await RowsOf(segment);
  const std::string path = SegmentIndexPath(options_.directory, segment.position);
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true, .create = true, .direct = true}));
  absl::Status status = co_await file.Truncate(0);
  IndexWriter writer(file, segment.position);
  uint64_t entries = 0;
  size_t looked_at = 0;
  std::vector<IndexEntry> slice;
  for (SealedRow& row : rows) {
    if (++looked_at % kQueueSlice == 0) co_await core::Yield();
    row.entry = entries;
    for (int64_t done = 0; done < row.count && status.ok();) {
      // Looked up anew after each wait: the topic may have been dropped.
      const Run* run = RunIn(queues_.Find(QueueName(row.topic, row.queue_id)), segment, row.first);
      if (run == nullptr) {
        row.count = 0;
        break;
      }
      const int64_t part = std::min(kSliceEntries, row.count - done);
      slice.clear();
      for (int64_t i = 0; i < part; ++i) slice.push_back(run->entries->at(static_cast<size_t>(done + i)));
      status = co_await writer.Add(slice);
      done += part;
      entries += static_cast<uint64_t>(part);
      if (part == kSliceEntries) co_await core::Yield();
    }
    if (!status.ok()) break;
  }
  std::erase_if(rows, [](const SealedRow& row) { return row.count == 0; });
  std::vector<IndexSection> sections;
  if (status.ok()) status = co_await writer.EndPage();
  if (status.ok()) {
    sections.push_back({.kind = kSectionEntries, .offset = kBlock, .bytes = writer.end() - kBlock});
    std::string directory;
    for (const SealedRow& row : rows) AppendSealedRow(row, directory);
    sections.push_back({.kind = kSectionDirectory,
                        .crc = Crc32c(std::as_bytes(std::span(directory.data(), directory.size()))),
                        .offset = writer.end(),
                        .bytes = directory.size()});
    status = co_await writer.AddBytes(directory);
  }
  if (status.ok()) status = co_await writer.Write();
  if (status.ok()) status = co_await file.Sync();
  if (status.ok()) {
    const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
    const SealedSegment sealed{segment.end, segment.time_min, segment.time_max, segment.last_crc, segment.last_epoch, segment.records_end};
    EncodeIndexHeader(identity_, segment.position, sealed, sections, {block.data(), kBlock});
    status = co_await file.WriteAt(0, block.bytes(), true);
  }
  if (status.ok()) status = co_await core::fs::SyncDirectory(options_.directory);
  if (!status.ok()) {
    (void)co_await file.Close();
    (void)co_await core::fs::Remove(path);
    co_return status;
  }

  // From here on the file answers, for each run from the moment that its memory is let go.
  segment.index = std::move(file);
  size_t let_go = 0;
  for (const SealedRow& row : rows) {
    if (++let_go % kQueueSlice == 0) co_await core::Yield();
    Queue* queue = queues_.Find(QueueName(row.topic, row.queue_id));
    Run* run = const_cast<Run*>(RunIn(queue, segment, row.first));
    if (run == nullptr) continue;
    run->entries.reset();
    run->sealed_entry = row.entry;
  }
  segment.queues = {};
  segment.sealed = true;
  co_return absl::OkStatus();
}

}  // namespace store
