#include "store/due_run.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/reactor.h"
#include "core/status.h"
#include "store/bytes.h"
#include "store/crc.h"
#include "store/segment.h"

namespace store {
namespace {

constexpr size_t kHeaderCrcOffset = 64;
constexpr size_t kWriteBytes = 64 * kBlock;
/// The upper levels of a search in a run: 128 KiB of memory at most.
constexpr size_t kFencesMax = 4096;

absl::Status Damaged(const core::File& file, absl::Status status) { return core::Annotate(status, file.path()); }

}  // namespace

std::string DueRunPath(const std::string& directory, uint64_t number) {
  return SegmentFilePath(directory, number, kDueRunSuffix);
}

void EncodeDueRunHeader(const LogIdentity& log, const DueRunHeader& header, std::span<std::byte> block) {
  std::memset(block.data(), 0, block.size());
  std::byte* const at = block.data();
  StoreLittle(at, kDueRunMagic);
  StoreLittle(at + 8, kDueRunVersion);
  StoreLittle(at + 12, log.log_number);
  StoreLittle(at + 16, log.store_id.high);
  StoreLittle(at + 24, log.store_id.low);
  StoreLittle(at + 32, header.number);
  StoreLittle(at + 40, header.entries);
  StoreLittle(at + 48, header.taken_back);
  StoreLittle(at + 56, header.lowest_position);
  StoreLittle(at + kHeaderCrcOffset, Crc32c({at, kHeaderCrcOffset}));
}

absl::StatusOr<DueRunHeader> ParseDueRunHeader(std::span<const std::byte> block, const LogIdentity& log,
                                               uint64_t number) {
  if (block.size() < kBlock) return absl::DataLossError("shorter than its header");
  const std::byte* const at = block.data();
  if (LoadLittle<uint64_t>(at) != kDueRunMagic ||
      LoadLittle<uint32_t>(at + kHeaderCrcOffset) != Crc32c({at, kHeaderCrcOffset})) {
    return absl::DataLossError("it has no good header");
  }
  const StoreId store_id{LoadLittle<uint64_t>(at + 16), LoadLittle<uint64_t>(at + 24)};
  DueRunHeader header{.number = LoadLittle<uint64_t>(at + 32),
                      .entries = LoadLittle<uint64_t>(at + 40),
                      .taken_back = LoadLittle<uint64_t>(at + 48),
                      .lowest_position = LoadLittle<uint64_t>(at + 56)};
  if (LoadLittle<uint32_t>(at + 8) != kDueRunVersion || !(store_id == log.store_id) ||
      LoadLittle<uint32_t>(at + 12) != log.log_number || header.number != number || header.entries == 0 ||
      header.entries > uint64_t{UINT32_MAX} * kDuePageEntries || header.taken_back > header.entries) {
    return absl::DataLossError("its header is that of another file or version");
  }
  return header;
}

void EncodeDuePage(uint64_t number, uint32_t page, std::span<const DueEntry> entries, std::span<std::byte> block) {
  CORE_ASSERT(entries.size() <= kDuePageEntries && block.size() == kBlock);
  std::memset(block.data(), 0, block.size());
  std::byte* at = block.data();
  StoreLittle(at + 4, static_cast<uint32_t>(entries.size()));
  StoreLittle(at + 8, page);
  StoreLittle(at + 12, static_cast<uint32_t>(number));
  at += kDuePageHeaderBytes;
  for (const DueEntry& entry : entries) {
    StoreLittle(at, entry.due);
    StoreLittle(at + 8, entry.place);
    StoreLittle(at + 16, entry.bytes);
    StoreLittle(at + 20, entry.crc);
    at += kDueEntryBytes;
  }
  StoreLittle(block.data(), Crc32c(block.subspan(4)));
}

absl::Status ParseDuePage(std::span<const std::byte> block, uint64_t number, uint32_t page,
                          std::vector<DueEntry>& entries) {
  if (block.size() != kBlock || LoadLittle<uint32_t>(block.data()) != Crc32c(block.subspan(4)) ||
      LoadLittle<uint32_t>(block.data() + 8) != page ||
      LoadLittle<uint32_t>(block.data() + 12) != static_cast<uint32_t>(number)) {
    return absl::DataLossError("a page is damaged");
  }
  const uint32_t count = LoadLittle<uint32_t>(block.data() + 4);
  if (count > kDuePageEntries) return absl::DataLossError("a page claims more entries than fit");
  const std::byte* at = block.data() + kDuePageHeaderBytes;
  for (uint32_t i = 0; i < count; ++i, at += kDueEntryBytes) {
    entries.push_back({.due = LoadLittle<int64_t>(at),
                       .place = LoadLittle<uint64_t>(at + 8),
                       .bytes = LoadLittle<uint32_t>(at + 16),
                       .crc = LoadLittle<uint32_t>(at + 20)});
  }
  return absl::OkStatus();
}

core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> DueRun::Open(std::string directory, LogIdentity log,
                                                                 uint64_t number) {
  std::unique_ptr<DueRun> run(new DueRun());
  CO_ASSIGN_OR_RETURN(run->file_, co_await core::File::Open(DueRunPath(directory, number), {.direct = true}));
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  absl::Status status = co_await run->file_.ReadExactlyAt(0, {block.data(), block.size()});
  if (status.ok()) {
    absl::StatusOr<DueRunHeader> header = ParseDueRunHeader(block.bytes(), log, number);
    status = Damaged(run->file_, header.status());
    if (header.ok()) run->header_ = *header;
  }
  if (!status.ok()) {
    (void)co_await run->file_.Close();
    co_return status;
  }
  co_return run;
}

core::Task<absl::Status> DueRun::Read(uint64_t first, size_t count, std::vector<DueEntry>& entries) {
  if (first >= pages()) co_return absl::OkStatus();
  count = std::min<uint64_t>(count, pages() - first);
  const core::Slice memory = core::Reactor::Current().buffers().Allocate(count * kBlock);
  const absl::Status read = co_await file_.ReadExactlyAt((1 + first) * kBlock, {memory.data(), count * kBlock});
  if (absl::IsOutOfRange(read)) co_return Damaged(file_, absl::DataLossError(read.message()));  // it was cut short
  CO_RETURN_IF_ERROR(read);
  for (size_t i = 0; i < count; ++i) {
    const size_t before = entries.size();
    const absl::Status parsed = ParseDuePage(memory.bytes().subspan(i * kBlock, kBlock), header_.number,
                                             static_cast<uint32_t>(first + i), entries);
    if (!parsed.ok()) co_return Damaged(file_, parsed);
    const uint64_t wanted = std::min<uint64_t>(kDuePageEntries, header_.entries - (first + i) * kDuePageEntries);
    if (entries.size() - before != wanted)
      co_return Damaged(file_, absl::DataLossError("a page has not all of its entries"));
  }
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<uint64_t>> DueRun::LowerBound(DueEntry least) {
  uint64_t low = 0;  // the last page whose first entry is below, or the first page
  uint64_t high = pages();
  std::vector<DueEntry> page;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    auto fence = fences_.find(middle);
    if (fence == fences_.end()) {
      page.clear();
      CO_RETURN_IF_ERROR(co_await Read(middle, 1, page));
      if (fences_.size() == kFencesMax) fences_.clear();
      fence = fences_.try_emplace(middle, page.front()).first;
    }
    (fence->second < least ? low : high) = middle;
  }
  page.clear();
  CO_RETURN_IF_ERROR(co_await Read(low, 1, page));
  const auto found = std::lower_bound(page.begin(), page.end(), least);
  co_return low* kDuePageEntries + static_cast<uint64_t>(found - page.begin());
}

core::Task<absl::StatusOr<std::unique_ptr<DueRunWriter>>> DueRunWriter::Create(std::string directory, LogIdentity log,
                                                                               uint64_t number) {
  std::unique_ptr<DueRunWriter> writer(new DueRunWriter());
  writer->directory_ = std::move(directory);
  writer->log_ = log;
  writer->header_.number = number;
  writer->header_.lowest_position = UINT64_MAX;
  const std::string path = DueRunPath(writer->directory_, number);
  CO_ASSIGN_OR_RETURN(writer->file_, co_await core::File::Open(path, {.write = true, .create = true, .direct = true}));
  writer->buffer_ = core::Reactor::Current().buffers().Allocate(kWriteBytes);
  writer->page_.reserve(kDuePageEntries);
  co_return writer;
}

void DueRunWriter::ClosePage() {
  EncodeDuePage(header_.number, pages_++, page_, {buffer_.data() + filled_, kBlock});
  filled_ += kBlock;
  page_.clear();
}

core::Task<absl::Status> DueRunWriter::Write() {
  const absl::Status status = co_await file_.WriteAt(offset_, {buffer_.data(), filled_}, false);
  offset_ += filled_;
  filled_ = 0;
  co_return status;
}

void DueRunWriter::Add(const DueEntry& entry) {
  CORE_DEBUG_ASSERT(!full());
  page_.push_back(entry);
  ++header_.entries;
  if (entry.taken_back()) ++header_.taken_back;
  header_.lowest_position = std::min(header_.lowest_position, entry.position());
  if (page_.size() == kDuePageEntries) ClosePage();
}

core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> DueRunWriter::Finish() {
  CORE_ASSERT(header_.entries > 0);
  absl::Status status;
  if (full()) status = co_await Write();
  if (!page_.empty()) ClosePage();
  if (status.ok() && filled_ > 0) status = co_await Write();
  if (status.ok()) status = co_await file_.Sync();
  if (status.ok()) {
    EncodeDueRunHeader(log_, header_, {buffer_.data(), kBlock});
    status = co_await file_.WriteAt(0, {buffer_.data(), kBlock}, true);
  }
  if (status.ok()) status = co_await core::fs::SyncDirectory(directory_);
  if (!status.ok()) {
    co_await Abandon();
    co_return status;
  }
  std::unique_ptr<DueRun> run(new DueRun());
  run->file_ = std::move(file_);
  run->header_ = header_;
  co_return run;
}

core::Task<void> DueRunWriter::Abandon() {
  const std::string path = file_.path();
  (void)co_await file_.Close();
  (void)co_await core::fs::Remove(path);
}

}  // namespace store
