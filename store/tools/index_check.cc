#include "store/tools/index_check.h"

#include <algorithm>
#include <utility>

#include "core/file.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/index_page.h"

namespace store::tools {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr std::string_view kRebuilt = "costs nothing: the index is rebuilt from the log at the next start";
constexpr std::string_view kHidden =
    "readers skip what it lists, though the log has it: stop the broker, remove this .idx file and start; it is "
    "rebuilt from the log";

uint64_t PageBegin(uint64_t entry) { return kBlock + entry / kIndexPageEntries * kIndexPageBytes; }

}  // namespace

void IndexCheck::Damage(uint64_t begin, uint64_t end, std::string what, std::string_view effect,
                        std::vector<Finding>& findings) const {
  findings.push_back(
      {.file = file_, .begin = begin, .end = end, .what = std::move(what), .effect = std::string(effect)});
}

core::Task<std::unique_ptr<IndexCheck>> IndexCheck::Read(LogFolder& folder, const Segment& segment,
                                                         std::vector<Finding>& findings) {
  const std::string path = SegmentIndexPath(folder.directory(), segment.position);
  const absl::StatusOr<core::FileInfo> info = co_await core::fs::Stat(path);
  if (!info.ok()) co_return nullptr;
  std::unique_ptr<IndexCheck> check(new IndexCheck(folder.IndexFileOf(segment), segment.position));
  absl::StatusOr<core::File> file = co_await core::File::Open(path, {.direct = true});
  if (!file.ok()) {
    check->Damage(0, info->bytes, std::string(file.status().message()), kRebuilt, findings);
    co_return check;
  }
  core::File opened = std::move(file).value();
  co_await check->ReadFile(opened, folder.identity(), info->bytes, findings);
  (void)co_await opened.Close();
  co_return check;
}

core::Task<void> IndexCheck::ReadFile(core::File& file, const LogIdentity& identity, uint64_t file_bytes,
                                      std::vector<Finding>& findings) {
  whole_ = false;
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  const absl::Status read = co_await file.ReadExactlyAt(0, {block.data(), block.size()});
  if (!read.ok() && !absl::IsOutOfRange(read)) {
    Damage(0, file_bytes, core::StrCat("the index header can't be read: ", core::ToStd(read.message())), kRebuilt,
           findings);
    co_return;
  }
  if (!read.ok() ||
      std::all_of(block.bytes().begin(), block.bytes().end(), [](std::byte b) { return b == std::byte{0}; })) {
    // The header comes last.
    findings.push_back({.severity = Severity::kNote,
                        .file = file_,
                        .end = file_bytes,
                        .what = "the index is not finished: it is being written, or was when the broker ended",
                        .effect = "it is made anew at the next start"});
    co_return;
  }
  const auto header = ParseIndexHeader(block.bytes(), identity, position_);
  if (!header.ok()) {
    Damage(0, kBlock, std::string(header.status().message()), kRebuilt, findings);
    co_return;
  }
  const std::vector<IndexSection>& sections = header->second;
  for (const IndexSection& section : sections) {
    if (section.offset % kBlock != 0 || section.offset > file_bytes || section.bytes > file_bytes - section.offset) {
      Damage(0, kBlock,
             core::StrCat("a section of the index lies outside its file of ", file_bytes,
                          " bytes: the file was cut short"),
             kRebuilt, findings);
      co_return;
    }
  }
  for (const IndexSection& section : sections) {
    if (section.kind == kSectionDirectory) co_await ReadDirectory(file, section, findings);
  }
  for (const IndexSection& section : sections) {
    if (section.kind == kSectionEntries) co_await ReadPages(file, section, findings);
  }
}

core::Task<void> IndexCheck::ReadDirectory(core::File& file, const IndexSection& section,
                                           std::vector<Finding>& findings) {
  const uint64_t padded = RoundUp(section.bytes, kBlock);
  if (section.bytes == 0) {
    whole_ = true;
    co_return;
  }
  std::string text;
  const core::Slice piece = core::Reactor::Current().buffers().Allocate(kPieceBytes);
  while (text.size() < padded) {
    const size_t wanted = std::min<uint64_t>(kPieceBytes, padded - text.size());
    const absl::Status read = co_await file.ReadExactlyAt(section.offset + text.size(), {piece.data(), wanted});
    if (!read.ok()) {
      Damage(section.offset, section.offset + section.bytes,
             core::StrCat("the directory can't be read: ", core::ToStd(read.message())), kRebuilt, findings);
      co_return;
    }
    text.append(reinterpret_cast<const char*>(piece.data()), wanted);
  }
  if (text.find_first_not_of('\0', section.bytes) != std::string::npos) {
    Damage(section.offset + section.bytes, section.offset + padded, "bytes behind the directory are not zero",
           "costs nothing: nothing is kept there", findings);
  }
  text.resize(section.bytes);
  absl::StatusOr<std::vector<SealedRow>> rows = ParseSealedRows(text);
  if (Crc32c(std::as_bytes(std::span(text.data(), text.size()))) != section.crc || !rows.ok()) {
    Damage(section.offset, section.offset + section.bytes, "the directory of the index is damaged", kRebuilt, findings);
    co_return;
  }
  rows_ = *std::move(rows);
  for (uint32_t i = 0; i < rows_.size(); ++i) rows_of_[HashQueue(rows_[i].topic, rows_[i].queue_id)].push_back(i);
  whole_ = true;
}

core::Task<void> IndexCheck::ReadPages(core::File& file, const IndexSection& section, std::vector<Finding>& findings) {
  const uint64_t pages = section.bytes / kIndexPageBytes;
  entries_.reserve(pages * kIndexPageEntries);
  const core::Slice piece = core::Reactor::Current().buffers().Allocate(kPieceBytes);
  constexpr uint64_t kPiecePages = kPieceBytes / kIndexPageBytes;
  for (uint64_t page = 0; page < pages; page += kPiecePages) {
    const uint64_t count = std::min(kPiecePages, pages - page);
    const absl::Status read =
        co_await file.ReadExactlyAt(section.offset + page * kIndexPageBytes, {piece.data(), count * kIndexPageBytes});
    if (!read.ok()) std::fill_n(piece.data(), count * kIndexPageBytes, std::byte{0});
    for (uint64_t i = 0; i < count; ++i) {
      const std::span<const std::byte> bytes = piece.bytes().subspan(i * kIndexPageBytes, kIndexPageBytes);
      const auto number = static_cast<uint32_t>(page + i);
      const bool intact = IndexPageIntact(position_, number, bytes);
      if (!intact) AddBadPage(number, findings);
      for (size_t slot = 0; slot < kIndexPageEntries; ++slot) {
        entries_.push_back(intact ? LoadIndexEntry(bytes, slot) : IndexEntry{});
        states_.push_back(intact ? State::kListed : State::kUnknown);
      }
    }
  }
}

void IndexCheck::AddBadPage(uint32_t number, std::vector<Finding>& findings) const {
  Finding finding{.file = file_,
                  .begin = kBlock + uint64_t{number} * kIndexPageBytes,
                  .end = kBlock + uint64_t{number + 1} * kIndexPageBytes,
                  .what = "a page of the index is damaged",
                  .effect = std::string(kHidden)};
  const uint64_t first = uint64_t{number} * kIndexPageEntries;
  for (const SealedRow& row : rows_) {
    const uint64_t begin = std::max(row.entry, first);
    const uint64_t end = std::min(row.entry + static_cast<uint64_t>(row.count), first + kIndexPageEntries);
    if (begin >= end) continue;
    finding.records += end - begin;
    finding.lost.push_back({.topic = row.topic,
                            .queue_id = row.queue_id,
                            .first = row.first + static_cast<int64_t>(begin - row.entry),
                            .end = row.first + static_cast<int64_t>(end - row.entry)});
  }
  findings.push_back(std::move(finding));
}

int64_t IndexCheck::Find(uint64_t queue_hash, int64_t offset) const {
  const auto found = rows_of_.find(queue_hash);
  if (found == rows_of_.end()) return -1;
  for (const uint32_t i : found->second) {
    const SealedRow& row = rows_[i];
    if (offset < row.first || offset >= row.first + row.count) continue;
    const uint64_t entry = row.entry + static_cast<uint64_t>(offset - row.first);
    return entry < entries_.size() ? static_cast<int64_t>(entry) : -1;
  }
  return -1;
}

bool IndexCheck::Match(const QueueName& queue, int64_t offset, const IndexEntry& entry) {
  if (!whole_) return true;
  const int64_t number = Find(queue.hash, offset);
  if (number < 0) return false;
  const auto at = static_cast<size_t>(number);
  if (states_[at] == State::kUnknown) return true;
  states_[at] = State::kMatched;
  const IndexEntry& listed = entries_[at];
  if (listed.position != entry.position || listed.bytes != entry.bytes || listed.crc != entry.crc ||
      listed.tags_code != entry.tags_code) {
    if (wrong_++ == 0) first_wrong_ = at;
  }
  return true;
}

void IndexCheck::Excuse(uint64_t queue_hash, int64_t offset) {
  const int64_t number = Find(queue_hash, offset);
  if (number >= 0) states_[static_cast<size_t>(number)] = State::kMatched;
}

void IndexCheck::Finish(uint64_t unknown_lost, std::vector<Finding>& findings) {
  if (!whole_) return;
  if (wrong_ > 0) {
    Damage(PageBegin(first_wrong_), PageBegin(first_wrong_) + kIndexPageBytes,
           core::StrCat(wrong_, " entries say something else than the log, the first is entry ", first_wrong_), kHidden,
           findings);
    findings.back().records = wrong_;
  }
  uint64_t missing = 0;
  LostRange first;
  for (const SealedRow& row : rows_) {
    for (int64_t i = 0; i < row.count; ++i) {
      const uint64_t at = row.entry + static_cast<uint64_t>(i);
      if (at < states_.size() && states_[at] != State::kListed) continue;
      if (missing++ == 0)
        first = {.topic = row.topic, .queue_id = row.queue_id, .first = row.first + i, .end = row.first + i + 1};
    }
  }
  if (missing <= unknown_lost) return;
  Damage(0, 0,
         core::StrCat("the index lists ", missing, " messages that the log does not have, the first is ", first.topic,
                      "/", first.queue_id, " ", first.first),
         "readers skip them", findings);
}

}  // namespace store::tools
