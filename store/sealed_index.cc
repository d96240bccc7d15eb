#include "store/sealed_index.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/message.h"

namespace store {
namespace {

constexpr uint64_t kIndexMagic = 0x5844494D474E5252;  // "RRNGMIDX"
constexpr uint32_t kIndexVersion = 1;
constexpr size_t kBlockCrcOffset = 84;
constexpr size_t kSectionsOffset = 88;
constexpr size_t kSectionBytes = 24;
constexpr size_t kSectionsMax = (kBlock - kSectionsOffset) / kSectionBytes;
constexpr size_t kRowFixedBytes = 2 + 4 + 8 * 6;

uint32_t HeaderCrc(std::span<const std::byte> block) {
  const std::byte zero[4] = {};
  const uint32_t before = Crc32c(block.first(kBlockCrcOffset));
  const uint32_t with_zero = Crc32c(zero, before);
  return Crc32c(block.subspan(kBlockCrcOffset + 4), with_zero);
}

template <std::integral T>
void Append(std::string& out, T value) {
  std::byte bytes[sizeof(T)];
  StoreLittle(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), sizeof(T));
}

struct SealedFile {
  SealedSegment sealed;
  std::vector<SealedRow> rows;
};

core::Task<absl::StatusOr<SealedFile>> ReadDirectory(core::File& file, LogIdentity log, const Segment& segment) {
  core::BufferPool& buffers = core::Reactor::Current().buffers();
  const core::Slice block = buffers.Allocate(kBlock);
  CO_RETURN_IF_ERROR(co_await file.ReadExactlyAt(0, {block.data(), block.size()}));
  auto header = ParseIndexHeader(block.bytes(), log, segment.position);
  if (!header.ok()) co_return header.status();
  const SealedSegment sealed = header->first;
  if (sealed.end < segment.data_begin() || sealed.end > segment.limit()) co_return absl::DataLossError("the index ends outside its segment");
  const std::vector<IndexSection> sections = std::move(header->second);
  const auto found = std::find_if(sections.begin(), sections.end(), [](const IndexSection& s) { return s.kind == kSectionDirectory; });
  if (found == sections.end()) co_return absl::DataLossError("the index has no directory");
  constexpr uint64_t kDirectoryBytesMax = uint64_t{1} << 30;
  if (found->offset % kBlock != 0 || found->bytes > kDirectoryBytesMax) co_return absl::DataLossError("the index's directory is out of bounds");
  std::string directory;
  directory.reserve(found->bytes);
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  const core::Slice piece = buffers.Allocate(kPiece);
  while (directory.size() < found->bytes) {
    const uint64_t rest = found->bytes - directory.size();
    const uint64_t wanted = std::min(RoundUp(rest, kBlock), kPiece);
    CO_RETURN_IF_ERROR(co_await file.ReadExactlyAt(found->offset + directory.size(), {piece.data(), wanted}));
    directory.append(reinterpret_cast<const char*>(piece.data()), std::min(rest, wanted));
  }
  if (Crc32c(std::as_bytes(std::span(directory.data(), directory.size()))) != found->crc) {
    co_return absl::DataLossError("the index's directory is damaged");
  }
  absl::StatusOr<std::vector<SealedRow>> rows = ParseSealedRows(directory);
  if (!rows.ok()) co_return rows.status();
  co_return SealedFile{sealed, std::move(rows).value()};
}

absl::Status Damaged(const absl::Status& status, const std::string& path) {
  return core::Annotate(absl::IsOutOfRange(status) ? absl::DataLossError(status.message()) : status, path);
}

}  // namespace

void AppendSealedRow(const SealedRow& row, std::string& directory) {
  Append(directory, static_cast<uint16_t>(row.topic.size()));
  directory += row.topic;
  Append(directory, row.queue_id);
  Append(directory, row.first);
  Append(directory, row.count);
  Append(directory, row.entry);
  Append(directory, row.position);
  Append(directory, row.time_min);
  Append(directory, row.time_max);
}

absl::StatusOr<std::vector<SealedRow>> ParseSealedRows(std::string_view directory) {
  std::vector<SealedRow> rows;
  while (!directory.empty()) {
    const auto* at = reinterpret_cast<const std::byte*>(directory.data());
    if (directory.size() < kRowFixedBytes) return absl::DataLossError("the index's directory ends within a row");
    const size_t topic_bytes = LoadLittle<uint16_t>(at);
    if (topic_bytes == 0 || topic_bytes > kTopicBytesMax || directory.size() - kRowFixedBytes < topic_bytes) {
      return absl::DataLossError("the index's directory has an impossible topic");
    }
    SealedRow row;
    row.topic.assign(directory.data() + 2, topic_bytes);
    at += 2 + topic_bytes;
    row.queue_id = LoadLittle<int32_t>(at);
    row.first = LoadLittle<int64_t>(at + 4);
    row.count = LoadLittle<int64_t>(at + 12);
    row.entry = LoadLittle<uint64_t>(at + 20);
    row.position = LoadLittle<uint64_t>(at + 28);
    row.time_min = LoadLittle<int64_t>(at + 36);
    row.time_max = LoadLittle<int64_t>(at + 44);
    if (row.queue_id < 0 || row.first < 0 || row.count <= 0 || row.first > INT64_MAX - row.count) {
      return absl::DataLossError("the index's directory has an impossible row");
    }
    rows.push_back(std::move(row));
    directory.remove_prefix(kRowFixedBytes + topic_bytes);
  }
  return rows;
}

void EncodeIndexHeader(const LogIdentity& log, uint64_t position, const SealedSegment& sealed, std::span<const IndexSection> sections,
                       std::span<std::byte> block) {
  CORE_ASSERT(block.size() == kBlock && sections.size() <= kSectionsMax);
  std::memset(block.data(), 0, block.size());
  std::byte* at = block.data();
  StoreLittle(at, kIndexMagic);
  StoreLittle(at + 8, kIndexVersion);
  StoreLittle(at + 12, log.log_number);
  StoreLittle(at + 16, log.store_id.high);
  StoreLittle(at + 24, log.store_id.low);
  StoreLittle(at + 32, position);
  StoreLittle(at + 40, sealed.end);
  StoreLittle(at + 48, sealed.time_min);
  StoreLittle(at + 56, sealed.time_max);
  StoreLittle(at + 64, sealed.last_crc);
  StoreLittle(at + 68, sealed.last_epoch);
  StoreLittle(at + 72, sealed.records_end);
  StoreLittle(at + 80, static_cast<uint32_t>(sections.size()));
  std::byte* row = at + kSectionsOffset;
  for (const IndexSection& section : sections) {
    StoreLittle(row, section.kind);
    StoreLittle(row + 4, section.crc);
    StoreLittle(row + 8, section.offset);
    StoreLittle(row + 16, section.bytes);
    row += kSectionBytes;
  }
  StoreLittle(at + kBlockCrcOffset, HeaderCrc(block));
}

absl::StatusOr<std::pair<SealedSegment, std::vector<IndexSection>>> ParseIndexHeader(std::span<const std::byte> block, const LogIdentity& log,
                                                                                     uint64_t position) {
  if (block.size() != kBlock) return absl::DataLossError("no room for an index header");
  const std::byte* at = block.data();
  if (LoadLittle<uint64_t>(at) != kIndexMagic) return absl::DataLossError("no index header");
  if (LoadLittle<uint32_t>(at + kBlockCrcOffset) != HeaderCrc(block)) return absl::DataLossError("the index header's checksum is wrong");
  const uint32_t version = LoadLittle<uint32_t>(at + 8);
  if (version != kIndexVersion) return absl::DataLossError(absl::StrCat("index format ", version));
  const StoreId store_id{LoadLittle<uint64_t>(at + 16), LoadLittle<uint64_t>(at + 24)};
  if (!(store_id == log.store_id) || LoadLittle<uint32_t>(at + 12) != log.log_number || LoadLittle<uint64_t>(at + 32) != position) {
    return absl::DataLossError("the index is of another segment");
  }
  SealedSegment sealed{.end = LoadLittle<uint64_t>(at + 40),
                       .time_min = LoadLittle<int64_t>(at + 48),
                       .time_max = LoadLittle<int64_t>(at + 56),
                       .last_crc = LoadLittle<uint32_t>(at + 64),
                       .last_epoch = LoadLittle<uint32_t>(at + 68),
                       .records_end = LoadLittle<uint64_t>(at + 72)};
  const uint32_t count = LoadLittle<uint32_t>(at + 80);
  if (count > kSectionsMax) return absl::DataLossError("the index header has too many sections");
  std::vector<IndexSection> sections;
  for (uint32_t i = 0; i < count; ++i) {
    const std::byte* row = at + kSectionsOffset + i * kSectionBytes;
    sections.push_back({LoadLittle<uint32_t>(row), LoadLittle<uint32_t>(row + 4), LoadLittle<uint64_t>(row + 8), LoadLittle<uint64_t>(row + 16)});
  }
  return std::pair(sealed, std::move(sections));
}

core::Task<absl::StatusOr<std::vector<SealedRow>>> OpenSealedIndex(std::string directory, LogIdentity log, Segment& segment) {
  const std::string path = SegmentIndexPath(directory, segment.position);
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.direct = true}));
  absl::StatusOr<SealedFile> read = co_await ReadDirectory(file, log, segment);
  if (!read.ok()) {
    (void)co_await file.Close();
    co_return Damaged(read.status(), path);
  }
  segment.end = read->sealed.end;
  segment.last_crc = read->sealed.last_crc;
  segment.last_epoch = read->sealed.last_epoch;
  segment.records_end = read->sealed.records_end;
  segment.time_min = read->sealed.time_min;
  segment.time_max = read->sealed.time_max;
  segment.index = std::move(file);
  segment.sealed = true;
  co_return std::move(read->rows);
}

core::Task<absl::StatusOr<std::vector<SealedRow>>> ReadSealedRows(std::string directory, LogIdentity log, const Segment& segment) {
  const std::string path = SegmentIndexPath(directory, segment.position);
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.direct = true}));
  absl::StatusOr<SealedFile> read = co_await ReadDirectory(file, log, segment);
  const absl::Status closed = co_await file.Close();
  if (!read.ok()) co_return Damaged(read.status(), path);
  if (!closed.ok()) co_return closed;
  co_return std::move(read->rows);
}

}  // namespace store
