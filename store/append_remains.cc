#include "store/append_remains.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/file.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/append_buffer.h"
#include "store/crc.h"
#include "store/log_options.h"
#include "store/record.h"

namespace store {
namespace {

constexpr uint64_t kPositionOffset = 32;  // in a batch header
core::Slice Allocate(size_t bytes) { return core::Reactor::Current().buffers().Allocate(bytes); }

/// Through the page cache, which is where the dead process's stores are.
core::Task<absl::Status> ReadFrom(std::string path, uint64_t offset, std::span<std::byte> into) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {}));
  const absl::Status read = co_await file.ReadExactlyAt(offset, into);
  const absl::Status closed = co_await file.Close();
  co_return read.ok() ? closed : read;
}

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<AppendRemains>>> AppendRemains::Load(std::string directory, LogIdentity log) {
  auto remains = std::make_unique<AppendRemains>();
  remains->log_ = log;
  remains->path_ = AppendBufferPath(directory);
  const core::Slice head = Allocate(kAppendChunksOffset);
  absl::Status status = co_await ReadFrom(remains->path_, 0, {head.data(), head.size()});
  if (absl::IsNotFound(status)) co_return std::unique_ptr<AppendRemains>();
  if (status.ok()) status = co_await remains->Parse(head.bytes());
  if (status.ok()) co_return remains;
  if (!absl::IsOutOfRange(status)) co_return remains->CantRead(status);
  core::LogWarning("recovery: ", remains->path_, " is of no use: ", status.ToString());
  co_return std::unique_ptr<AppendRemains>();
}

absl::Status AppendRemains::CantRead(const absl::Status& why) const {
  return absl::Status(why.code(), core::StrCat(core::ToStd(why.message()), ": it may have acknowledged messages that the log has not. Mend that, or remove ",
                                               path_, " to go on without them"));
}

core::Task<absl::Status> AppendRemains::Parse(std::span<const std::byte> head) {
  const std::byte* at = head.data();
  if (LoadLittle<uint64_t>(at) != kAppendMagic || LoadLittle<uint32_t>(at + kAppendHeaderCrcOffset) != Crc32c({at, kAppendHeaderCrcOffset})) {
    co_return absl::OutOfRangeError("no header");
  }
  if (LoadLittle<uint32_t>(at + 8) != kAppendVersion) {
    co_return absl::FailedPreconditionError(core::StrCat(path_, " has format ", LoadLittle<uint32_t>(at + 8), ", this program writes ", kAppendVersion));
  }
  const StoreId store_id{LoadLittle<uint64_t>(at + 16), LoadLittle<uint64_t>(at + 24)};
  if (!(store_id == log_.store_id) || LoadLittle<uint32_t>(at + 12) != log_.log_number) {
    co_return absl::FailedPreconditionError(path_ + " is of another store or log");
  }
  const uint64_t chunk_bytes = LoadLittle<uint64_t>(at + 40);
  const uint64_t chunks = LoadLittle<uint32_t>(at + 36);
  if (chunk_bytes == 0 || chunk_bytes > kBatchBytesMax || chunk_bytes % kBlock != 0 || chunks > kAppendBufferBytesMax / chunk_bytes) {
    co_return absl::OutOfRangeError("impossible sizes");
  }
  epoch_ = LoadLittle<uint32_t>(at + 32);
  bytes_ = kAppendChunksOffset + chunks * chunk_bytes;
  open_position_ = LoadLittle<uint64_t>(at + kAppendOpenOffset);
  open_offset_ = LoadLittle<uint64_t>(at + kAppendOpenOffset + 8);
  open_previous_crc_ = LoadLittle<uint32_t>(at + kAppendOpenOffset + 16);
  open_records_before_ = LoadLittle<uint64_t>(at + kAppendOpenOffset + 24);
  const uint64_t rows = std::min<uint64_t>(LoadLittle<uint64_t>(at + kAppendCountOffset), kAppendRowsMax);
  for (uint64_t row = 0; row < rows; ++row) open_rows_.push_back(LoadTableEntry(at + kAppendRowsOffset + row * kTableEntryBytes));
  co_return co_await ScanChunks(chunk_bytes);
}

core::Task<absl::Status> AppendRemains::ScanChunks(size_t chunk_bytes) {
  const core::Slice chunk = Allocate(chunk_bytes);
  for (uint64_t begin = kAppendChunksOffset; begin < bytes_; begin += chunk_bytes) {
    CO_RETURN_IF_ERROR(co_await ReadFrom(path_, begin, {chunk.data(), chunk_bytes}));
    for (size_t at = 0; at + kBlock <= chunk_bytes; at += kBlock) {
      const std::span<const std::byte> block(chunk.data() + at, kBlock);
      const absl::StatusOr<BatchHeader> header = ParseBatchHeader(block, log_, LoadLittle<uint64_t>(block.data() + kPositionOffset));
      // A chunk is used again and again; batches of an older use are of the same run and in the log already.
      if (!header.ok() || header->epoch != epoch_ || header->bytes > chunk_bytes - at) continue;
      closed_.push_back({header->position, header->previous_crc, header->bytes, begin + at});
    }
  }
  std::sort(closed_.begin(), closed_.end(), [](const Closed& a, const Closed& b) { return a.position < b.position; });
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<core::Slice>> AppendRemains::BatchAt(uint64_t position, std::optional<uint32_t> previous_crc, uint64_t mark) {
  const auto first = std::lower_bound(closed_.begin(), closed_.end(), position,
                                      [](const Closed& batch, uint64_t at) { return batch.position < at; });
  for (auto batch = first; batch != closed_.end() && batch->position == position; ++batch) {
    if (previous_crc.has_value() && batch->previous_crc != *previous_crc) continue;
    CO_ASSIGN_OR_RETURN(core::Slice bytes, co_await CopyClosed(*batch));
    if (!bytes.empty()) co_return bytes;
  }
  if (position != open_position_ || open_rows_.empty()) co_return core::Slice();
  if (previous_crc.has_value() && *previous_crc != open_previous_crc_) co_return core::Slice();
  co_return co_await BuildOpen(mark);
}

core::Task<absl::StatusOr<core::Slice>> AppendRemains::CopyClosed(Closed batch) {
  const core::Slice bytes = Allocate(batch.bytes);
  const absl::Status status = co_await ReadFrom(path_, batch.offset, {bytes.data(), bytes.size()});
  if (!status.ok()) co_return CantRead(status);
  const absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes.bytes(), log_, batch.position);
  if (!header.ok() || !BatchView(*header, bytes.bytes()).Intact()) co_return core::Slice();
  // The process may have died before it had written the copy of the header at the end.
  std::memcpy(bytes.data() + bytes.size() - kBatchHeaderBytes, bytes.data(), kBatchHeaderBytes);
  co_return bytes;
}

core::Task<absl::StatusOr<core::Slice>> AppendRemains::BuildOpen(uint64_t mark) {
  uint64_t payload = 0;
  for (const TableEntry& row : open_rows_) payload += row.bytes;
  if (payload > kBatchBytesMax || open_offset_ < kAppendChunksOffset || open_offset_ > bytes_ || bytes_ - open_offset_ < kBatchHeaderBytes + payload) {
    co_return core::Slice();
  }
  const core::Slice bytes = Allocate(BatchBytes(payload, open_rows_.size()));
  const std::span<std::byte> records(bytes.data() + kBatchHeaderBytes, payload);
  const absl::Status status = co_await ReadFrom(path_, open_offset_ + kBatchHeaderBytes, records);
  if (!status.ok()) co_return CantRead(status);
  BatchHeader header{.previous_crc = open_previous_crc_,
                     .epoch = epoch_,
                     .position = open_position_,
                     .payload_bytes = static_cast<uint32_t>(payload),
                     .mark = mark,
                     .records_before = open_records_before_};
  size_t at = 0;
  for (const TableEntry& row : open_rows_) {
    const std::span<const std::byte> record = records.subspan(at, row.bytes);
    const absl::StatusOr<RecordView> view = ParseRecord(record);
    // Only a power cut leaves rows without their records, or those of an older use of the place; it was promised nothing: all or nothing then.
    const core::PhysicalOffset place = MakePhysicalOffset(log_.log_number, open_position_ + kBatchHeaderBytes + at);
    if (!view.ok() || Crc32c(record) != row.crc || view->position != place || view->queue_offset.value() != row.queue_offset) co_return core::Slice();
    if (at == 0) header.first_store_time = view->store_timestamp;
    header.last_store_time = view->store_timestamp;
    at += row.bytes;
  }
  EncodeBatch(log_, header, open_rows_, {bytes.data(), bytes.size()});
  co_return bytes;
}

}  // namespace store
