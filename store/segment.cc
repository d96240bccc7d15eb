#include "store/segment.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"

namespace store {
namespace {

constexpr size_t kSegmentHeaderCrcOffset = 48;

constexpr size_t kNameDigits = 20;
constexpr uint64_t kTruncateStep = uint64_t{64} << 20;
/// Small enough not to hold up a commit for long that the device takes after it.
constexpr uint64_t kZeroStep = uint64_t{256} << 10;

core::Task<absl::Status> WriteNewHeader(core::File& file, const LogIdentity& log, const SegmentHeader& header) {
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  EncodeSegmentHeader(log, header, {block.data(), block.size()});
  CO_RETURN_IF_ERROR(co_await file.WriteAt(0, block.bytes(), false));
  // Also makes the reserved size durable.
  co_return co_await file.Sync();
}

core::Task<absl::Status> WriteBlocks(core::File& file, uint64_t bytes, core::StopToken hurry) {
  const core::Slice zeros = core::Reactor::Current().buffers().Allocate(std::min(bytes, kZeroStep));
  std::memset(zeros.data(), 0, zeros.size());
  for (uint64_t at = 0; at < bytes && !hurry.stop_requested(); at += zeros.size()) {
    CO_RETURN_IF_ERROR(
        co_await file.WriteAt(at, zeros.bytes().first(std::min<uint64_t>(zeros.size(), bytes - at)), false));
  }
  co_return absl::OkStatus();
}

std::unique_ptr<Segment> NewSegment(core::File file, const SegmentHeader& header) {
  auto segment = std::make_unique<Segment>();
  segment->position = header.position;
  segment->bytes = header.bytes;
  segment->log = std::move(file);
  return segment;
}

}  // namespace

void EncodeSegmentHeader(const LogIdentity& log, const SegmentHeader& header, std::span<std::byte> block) {
  std::memset(block.data(), 0, block.size());
  std::byte* at = block.data();
  StoreLittle<uint64_t>(at, kSegmentMagic);
  StoreLittle<uint32_t>(at + 8, kSegmentVersion);
  StoreLittle<uint32_t>(at + 12, log.log_number);
  StoreLittle<uint64_t>(at + 16, log.store_id.high);
  StoreLittle<uint64_t>(at + 24, log.store_id.low);
  StoreLittle<uint64_t>(at + 32, header.position);
  StoreLittle<uint64_t>(at + 40, header.bytes);
  StoreLittle<uint32_t>(at + kSegmentHeaderCrcOffset, Crc32c(block.first(kSegmentHeaderCrcOffset)));
}

absl::StatusOr<SegmentHeader> ParseSegmentHeader(std::span<const std::byte> block, const LogIdentity& log) {
  if (block.size() < kSegmentHeaderCrcOffset + 4) return absl::DataLossError("no room for a segment header");
  const std::byte* at = block.data();
  if (LoadLittle<uint64_t>(at) != kSegmentMagic) return absl::DataLossError("no segment header");
  if (LoadLittle<uint32_t>(at + kSegmentHeaderCrcOffset) != Crc32c(block.first(kSegmentHeaderCrcOffset))) {
    return absl::DataLossError("the segment header's checksum is wrong");
  }
  const uint32_t version = LoadLittle<uint32_t>(at + 8);
  if (version != kSegmentVersion) {
    return absl::FailedPreconditionError(absl::StrCat("segment format ", version, ", this program writes ", kSegmentVersion));
  }
  const StoreId store_id{LoadLittle<uint64_t>(at + 16), LoadLittle<uint64_t>(at + 24)};
  if (!(store_id == log.store_id) || LoadLittle<uint32_t>(at + 12) != log.log_number) {
    return absl::FailedPreconditionError("the segment is of another store or log");
  }
  return SegmentHeader{LoadLittle<uint64_t>(at + 32), LoadLittle<uint64_t>(at + 40)};
}

std::string SegmentFilePath(const std::string& directory, uint64_t position, std::string_view suffix) {
  return absl::StrFormat("%s/%020d%s", directory, position, suffix);
}

std::optional<uint64_t> PositionOfSegmentName(std::string_view name, std::string_view suffix) {
  if (name.size() != kNameDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  uint64_t position = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, position);
  if (error != std::errc() || end != name.data() + kNameDigits) return std::nullopt;
  return position;
}

core::Task<absl::StatusOr<std::unique_ptr<Segment>>> CreateSegment(std::string directory, LogIdentity log,
                                                                   uint64_t position, uint64_t bytes,
                                                                   SegmentBlocks blocks, core::StopToken hurry) {
  const std::string path = SegmentPath(directory, position);
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true, .create = true, .exclusive = true, .direct = true}));
  const SegmentHeader header{position, bytes};
  absl::Status status = co_await file.Allocate(bytes);
  if (status.ok() && blocks == SegmentBlocks::kWritten) status = co_await WriteBlocks(file, bytes, hurry);
  if (status.ok()) status = co_await WriteNewHeader(file, log, header);
  if (status.ok()) status = co_await core::fs::SyncDirectory(directory);
  if (!status.ok()) {
    (void)co_await file.Close();
    (void)co_await core::fs::Remove(path);
    co_return status;
  }
  std::unique_ptr<Segment> segment = NewSegment(std::move(file), header);
  segment->reserved_only = blocks == SegmentBlocks::kReserved;
  co_return segment;
}

core::Task<absl::StatusOr<std::unique_ptr<Segment>>> ReuseSegment(std::string path, std::string directory, LogIdentity log, uint64_t position,
                                                                  uint64_t bytes) {
  const SegmentHeader header{position, bytes};
  absl::Status status;
  {
    CO_ASSIGN_OR_RETURN(core::File spare, co_await core::File::Open(path, {.write = true, .direct = true}));
    status = co_await WriteNewHeader(spare, log, header);
    const absl::Status closed = co_await spare.Close();
    if (status.ok()) status = closed;
  }
  CO_RETURN_IF_ERROR(status);
  const std::string new_path = SegmentPath(directory, position);
  CO_RETURN_IF_ERROR(co_await core::fs::Rename(path, new_path));
  status = co_await core::fs::SyncDirectory(directory);
  if (status.ok()) {
    absl::StatusOr<core::File> file = co_await core::File::Open(new_path, {.write = true, .direct = true});
    if (file.ok()) co_return NewSegment(std::move(file).value(), header);
    status = file.status();
  }
  (void)co_await core::fs::Remove(new_path);
  co_return status;
}

core::Task<absl::Status> RemoveLargeFile(std::string path, uint64_t bytes) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true}));
  absl::Status status;
  for (uint64_t left = bytes; status.ok() && left > kTruncateStep; left -= kTruncateStep) {
    status = co_await file.Truncate(left - kTruncateStep);
    co_await core::Yield();
  }
  const absl::Status closed = co_await file.Close();
  if (status.ok()) status = co_await core::fs::Remove(path);
  co_return status.ok() ? closed : status;
}

core::Task<absl::StatusOr<std::unique_ptr<Segment>>> OpenSegment(std::string directory, LogIdentity log, uint64_t position) {
  const std::string path = SegmentPath(directory, position);
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true, .direct = true}));
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  const absl::Status read = co_await file.ReadExactlyAt(0, {block.data(), block.size()});
  absl::StatusOr<SegmentHeader> header = read.ok() ? ParseSegmentHeader(block.bytes(), log) : absl::StatusOr<SegmentHeader>(read);
  if (!read.ok() && absl::IsOutOfRange(read)) header = absl::DataLossError("the file is shorter than a segment header");
  if (header.ok() && (header->position != position || header->bytes < kSegmentBytesMin || header->bytes > kSegmentBytesMax ||
                      header->bytes % kBlock != 0)) {
    header = absl::DataLossError("the segment header does not fit the file's name");
  }
  if (!header.ok()) {
    (void)co_await file.Close();
    co_return core::Annotate(header.status(), path);
  }
  co_return NewSegment(std::move(file), *header);
}

std::unique_ptr<Segment> SegmentList::PopFront() {
  std::unique_ptr<Segment> segment = std::move(segments_.front());
  segments_.pop_front();
  return segment;
}

std::unique_ptr<Segment> SegmentList::PopBack() {
  std::unique_ptr<Segment> segment = std::move(segments_.back());
  segments_.pop_back();
  return segment;
}

Segment* SegmentList::Find(uint64_t position) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), position,
                                      [](uint64_t at, const std::unique_ptr<Segment>& segment) { return at < segment->position; });
  if (after == segments_.begin()) return nullptr;
  Segment* segment = std::prev(after)->get();
  return position < segment->limit() ? segment : nullptr;
}

}  // namespace store
