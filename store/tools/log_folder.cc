#include "store/tools/log_folder.h"

#include <algorithm>
#include <utility>

#include "core/file.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/all_zero.h"
#include "store/due_run.h"
#include "store/key_run.h"
#include "store/mark_file.h"
#include "store/sealed_index.h"

namespace store::tools {
namespace {

constexpr size_t kHeaderBytesUsed = 52;

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<LogFolder>>> LogFolder::Open(std::string root, std::string name,
                                                                       LogIdentity identity,
                                                                       std::vector<Finding>& findings) {
  std::unique_ptr<LogFolder> folder(new LogFolder(std::move(root), std::move(name), identity));
  // The mark first: beside a running broker it must not be ahead of the segments that are found.
  absl::Status status = co_await folder->ReadMarks(findings);
  if (status.ok()) status = co_await folder->OpenAll(findings);
  if (!status.ok()) {
    co_await folder->Close();
    co_return status;
  }
  co_return folder;
}

core::Task<void> LogFolder::Close() {
  for (size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_.at(i);
    if (segment.log.is_open()) (void)co_await segment.log.Close();
    if (segment.index.is_open()) (void)co_await segment.index.Close();
  }
}

std::string LogFolder::FileOf(const Segment& segment) const { return SegmentPath(name_, segment.position); }
std::string LogFolder::IndexFileOf(const Segment& segment) const { return SegmentIndexPath(name_, segment.position); }

core::Task<bool> LogFolder::Exists(const Segment& segment) const {
  const absl::StatusOr<core::FileInfo> info = co_await core::fs::Stat(SegmentPath(directory_, segment.position));
  co_return info.ok();
}

core::Task<absl::Status> LogFolder::OpenAll(std::vector<Finding>& findings) {
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries, co_await core::fs::List(directory_));
  std::vector<uint64_t> positions;
  std::vector<uint64_t> indexes;
  for (const core::DirectoryEntry& entry : entries) {
    if (const std::optional<uint64_t> position = PositionOfSegmentName(entry.name, kSegmentSuffix)) {
      positions.push_back(*position);
    } else if (const std::optional<uint64_t> index = PositionOfSegmentName(entry.name, kIndexSuffix)) {
      indexes.push_back(*index);
    } else if (PositionOfSegmentName(entry.name, kDueRunSuffix).has_value()) {
      continue;  // due_check.h
    } else if (PositionOfSegmentName(entry.name, kKeyRunSuffix).has_value() ||
               PositionOfSegmentName(entry.name, kNewKeyRunSuffix).has_value()) {
      continue;  // key_check.h
    } else if (PositionOfSegmentName(entry.name, kSpareSuffix).has_value()) {
      findings.push_back({.severity = Severity::kNote,
                          .file = name_ + "/" + entry.name,
                          .what = "the file of an expired segment",
                          .effect = "becomes a new segment; what it holds does not count"});
    } else if (entry.name != "flushed" && entry.name != "append") {
      const bool deleted = PositionOfSegmentName(entry.name, kDeletedSuffix).has_value();
      findings.push_back({.severity = Severity::kNote,
                          .file = name_ + "/" + entry.name,
                          .what = deleted ? "an expired segment on its way out" : "unknown file, ignored",
                          .effect = deleted ? "removed by the broker" : "left alone by the broker"});
    }
  }
  std::sort(positions.begin(), positions.end());
  for (const uint64_t index : indexes) {
    if (std::binary_search(positions.begin(), positions.end(), index)) continue;
    findings.push_back({.severity = Severity::kNote,
                        .file = SegmentIndexPath(name_, index),
                        .what = "an index without its segment",
                        .effect = "what a crash leaves of an expired segment; removed at the next start"});
  }
  for (const uint64_t position : positions) {
    absl::StatusOr<std::unique_ptr<Segment>> opened =
        co_await OpenOne(position, position == positions.back(), findings);
    if (!opened.ok()) {
      if (absl::IsNotFound(opened.status())) continue;  // retention was faster
      co_return opened.status();
    }
    if (*opened == nullptr) continue;
    if (!segments_.empty() && position < segments_.back().limit()) {
      findings.push_back({.file = SegmentPath(name_, position),
                          .end = (*opened)->bytes,
                          .what = "the segment overlaps the one before it",
                          .effect = "the broker refuses to start: move one of the two files away"});
      (void)co_await (*opened)->log.Close();
      continue;
    }
    segments_.PushBack(std::move(opened).value());
    co_await ReadSealed(segments_.back());
  }
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<std::unique_ptr<Segment>>> LogFolder::OpenOne(uint64_t position, bool last,
                                                                        std::vector<Finding>& findings) {
  const std::string path = SegmentPath(directory_, position);
  const std::string name = SegmentPath(name_, position);
  CO_ASSIGN_OR_RETURN(const core::FileInfo info, co_await core::fs::Stat(path));
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.direct = true}));
  auto segment = std::make_unique<Segment>();
  segment->position = position;
  segment->log = std::move(file);
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  const absl::Status read = co_await segment->log.ReadExactlyAt(0, {block.data(), block.size()});
  absl::StatusOr<SegmentHeader> header =
      read.ok() ? ParseSegmentHeader(block.bytes(), identity_) : absl::StatusOr<SegmentHeader>(read);
  if (header.ok() && (header->position != position || header->bytes < kSegmentBytesMin ||
                      header->bytes > kSegmentBytesMax || header->bytes % kBlock != 0)) {
    header = absl::DataLossError("the segment header does not fit the file's name");
  }
  if (header.ok()) {
    segment->bytes = header->bytes;
    if (!AllZero(block.bytes().subspan(kHeaderBytesUsed))) {
      findings.push_back({.file = name,
                          .begin = kHeaderBytesUsed,
                          .end = kBlock,
                          .what = "bytes behind the segment header are not zero",
                          .effect = "costs nothing: nothing is kept there"});
    }
    if (info.bytes < segment->bytes) {
      findings.push_back(
          {.file = name,
           .begin = info.bytes,
           .end = segment->bytes,
           .what = core::StrCat("the file was cut short: it has ", info.bytes, " of its ", segment->bytes, " bytes"),
           .effect = "what was stored there is gone; see the damage that follows from it"});
    }
    co_return segment;
  }
  if (absl::IsFailedPrecondition(header.status())) {
    findings.push_back({.file = name,
                        .end = kBlock,
                        .what = std::string(header.status().message()),
                        .effect = "the broker refuses to start: the file belongs elsewhere"});
    (void)co_await segment->log.Close();
    co_return nullptr;
  }
  if (info.bytes < kSegmentBytesMin || info.bytes % kBlock != 0) {
    findings.push_back(
        {.severity = last ? Severity::kTornTail : Severity::kDamage,
         .file = name,
         .end = info.bytes,
         .what = core::StrCat("the file has ", info.bytes, " bytes and no header"),
         .effect = last ? "what a crash leaves of a segment that was being made; removed at the next start"
                        : "the broker refuses to start: restore the file or move it away"});
    (void)co_await segment->log.Close();
    co_return nullptr;
  }
  segment->bytes = info.bytes;
  // A crash while a segment is made leaves zeros; what was used has a header, which was durable before.
  const bool unfinished = last && read.ok() && AllZero(block.bytes());
  findings.push_back(
      {.severity = unfinished ? Severity::kTornTail : Severity::kDamage,
       .file = name,
       .end = kBlock,
       .what = core::StrCat("no valid segment header: ", core::ToStd(header.status().message())),
       .effect = "costs nothing: name and size say the same, the header is written anew at the next start"});
  co_return segment;
}

core::Task<void> LogFolder::ReadSealed(Segment& segment) {
  const absl::StatusOr<std::vector<SealedRow>> rows = co_await OpenSealedIndex(directory_, identity_, segment);
  if (rows.ok()) mark_ = std::max(mark_, segment.end);  // sealed after it was flushed
}

core::Task<absl::Status> LogFolder::ReadMarks(std::vector<Finding>& findings) {
  const std::string name = name_ + "/flushed";
  absl::StatusOr<std::string> content = co_await core::fs::ReadWhole(directory_ + "/flushed", MarkFile::kFileBytes);
  if (absl::IsNotFound(content.status()) || (content.ok() && content->size() != MarkFile::kFileBytes)) {
    // A power cut may take the file's size or its name: nothing waits for them.
    findings.push_back(
        {.severity = Severity::kNote,
         .file = name,
         .end = content.ok() ? content->size() : 0,
         .what = content.ok()
                     ? core::StrCat("the mark file has ", content->size(), " bytes instead of ", MarkFile::kFileBytes)
                     : std::string("the mark file is missing"),
         .effect = "costs nothing by itself, but recovery can't tell a torn tail from damage in the last batches"});
    co_return absl::OkStatus();
  }
  if (!content.ok()) co_return content.status();
  const std::span<const std::byte> bytes = std::as_bytes(std::span(content->data(), content->size()));
  uint64_t sequence = 0;
  for (size_t at = 0; at < bytes.size(); at += kBlock) {
    const std::span<const std::byte> block = bytes.subspan(at, kBlock);
    const absl::StatusOr<MarkFile::Slot> slot = MarkFile::ParseSlot(block, identity_);
    if (absl::IsNotFound(slot.status())) continue;
    const bool rest_zero = AllZero(block.subspan(kHeaderBytesUsed));
    if (!slot.ok() || !rest_zero) {
      findings.push_back(
          {.file = name,
           .begin = at,
           .end = at + kBlock,
           .what = slot.ok() ? "bytes behind the mark are not zero" : std::string(slot.status().message()),
           .effect = absl::IsFailedPrecondition(slot.status())
                         ? "the broker refuses to start: the file belongs elsewhere"
                         : "costs nothing: the other mark and those in the log stand in"});
    }
    if (!slot.ok()) continue;
    if (slot->sequence > sequence) {
      sequence = slot->sequence;
      clean_ = slot->closed;
    }
    mark_ = std::max(mark_, slot->mark);
  }
  co_return absl::OkStatus();
}

}  // namespace store::tools
