#include "store/append_remains.h"

#include <algorithm>
#include <cstring>
#include <utility>

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
constexpr size_t kBytesMax = size_t{4} << 30;

core::Slice Allocate(size_t bytes) { return core::Reactor::Current().buffers().Allocate(bytes); }

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<AppendRemains>>> AppendRemains::Load(std::string directory, LogIdentity log) {
  const std::string path = AppendBufferPath(directory);
  absl::StatusOr<core::File> file = co_await core::File::Open(path, {});
  if (absl::IsNotFound(file.status())) co_return std::unique_ptr<AppendRemains>();
  if (!file.ok()) co_return file.status();
  auto remains = std::make_unique<AppendRemains>();
  remains->log_ = log;
  remains->file_ = std::move(file).value();
  const core::Slice head = Allocate(kAppendChunksOffset);
  absl::Status status = co_await remains->file_.ReadExactlyAt(0, {head.data(), head.size()});
  const std::byte* at = head.data();
  if (status.ok() && (LoadLittle<uint64_t>(at) != kAppendMagic || LoadLittle<uint32_t>(at + 8) != kAppendVersion ||
                      LoadLittle<uint32_t>(at + kAppendHeaderCrcOffset) != Crc32c({at, kAppendHeaderCrcOffset}))) {
    status = absl::DataLossError("no header");
  }
  const size_t chunk_bytes = status.ok() ? LoadLittle<uint64_t>(at + 40) : 0;
  const uint64_t chunks = status.ok() ? LoadLittle<uint32_t>(at + 36) : 0;
  if (status.ok() && (chunk_bytes == 0 || chunk_bytes > kBatchBytesMax || chunk_bytes % kBlock != 0 || chunks > kBytesMax / chunk_bytes)) {
    status = absl::DataLossError("impossible sizes");
  }
  if (status.ok()) {
    const StoreId store_id{LoadLittle<uint64_t>(at + 16), LoadLittle<uint64_t>(at + 24)};
    if (!(store_id == log.store_id) || LoadLittle<uint32_t>(at + 12) != log.log_number) {
      (void)co_await remains->file_.Close();
      co_return absl::FailedPreconditionError(path + " is of another store or log");
    }
    remains->epoch_ = LoadLittle<uint32_t>(at + 32);
    remains->bytes_ = kAppendChunksOffset + chunks * chunk_bytes;
    remains->open_position_ = LoadLittle<uint64_t>(at + kAppendOpenOffset);
    remains->open_offset_ = LoadLittle<uint64_t>(at + kAppendOpenOffset + 8);
    remains->open_previous_crc_ = LoadLittle<uint32_t>(at + kAppendOpenOffset + 16);
    const uint64_t rows = std::min<uint64_t>(LoadLittle<uint64_t>(at + kAppendCountOffset), kAppendRowsMax);
    for (uint64_t row = 0; row < rows; ++row) remains->open_rows_.push_back(LoadTableEntry(at + kAppendRowsOffset + row * kTableEntryBytes));
    status = co_await remains->ScanChunks(remains->bytes_, chunk_bytes);
  }
  if (!status.ok()) {
    core::LogWarning("recovery: ", path, " is of no use: ", status.ToString());
    (void)co_await remains->file_.Close();
    co_return std::unique_ptr<AppendRemains>();
  }
  co_return remains;
}

core::Task<absl::Status> AppendRemains::ScanChunks(uint64_t bytes, size_t chunk_bytes) {
  const core::Slice chunk = Allocate(chunk_bytes);
  for (uint64_t begin = kAppendChunksOffset; begin < bytes; begin += chunk_bytes) {
    CO_RETURN_IF_ERROR(co_await file_.ReadExactlyAt(begin, {chunk.data(), chunk_bytes}));
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

core::Task<core::Slice> AppendRemains::BatchAt(uint64_t position, std::optional<uint32_t> previous_crc, uint64_t records_before,
                                                uint64_t mark) {
  const auto first = std::lower_bound(closed_.begin(), closed_.end(), position,
                                      [](const Closed& batch, uint64_t at) { return batch.position < at; });
  for (auto batch = first; batch != closed_.end() && batch->position == position; ++batch) {
    if (previous_crc.has_value() && batch->previous_crc != *previous_crc) continue;
    core::Slice bytes = co_await CopyClosed(*batch);
    if (!bytes.empty()) co_return bytes;
  }
  if (position != open_position_ || open_rows_.empty() || previous_crc != open_previous_crc_) co_return core::Slice();
  co_return co_await BuildOpen(records_before, mark);
}

core::Task<core::Slice> AppendRemains::CopyClosed(Closed batch) {
  const core::Slice bytes = Allocate(batch.bytes);
  const absl::Status status = co_await file_.ReadExactlyAt(batch.offset, {bytes.data(), bytes.size()});
  if (!status.ok()) co_return core::Slice();
  const absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes.bytes(), log_, batch.position);
  if (!header.ok() || !BatchView(*header, bytes.bytes()).Intact()) co_return core::Slice();
  co_return bytes;
}

core::Task<core::Slice> AppendRemains::BuildOpen(uint64_t records_before, uint64_t mark) {
  uint64_t payload = 0;
  for (const TableEntry& row : open_rows_) payload += row.bytes;
  if (payload > kBatchBytesMax || open_offset_ < kAppendChunksOffset || open_offset_ > bytes_ || bytes_ - open_offset_ < kBatchHeaderBytes + payload) {
    co_return core::Slice();
  }
  const core::Slice bytes = Allocate(BatchBytes(payload, open_rows_.size()));
  const std::span<std::byte> records(bytes.data() + kBatchHeaderBytes, payload);
  const absl::Status status = co_await file_.ReadExactlyAt(open_offset_ + kBatchHeaderBytes, records);
  if (!status.ok()) co_return core::Slice();
  BatchHeader header{.previous_crc = open_previous_crc_,
                     .epoch = epoch_,
                     .position = open_position_,
                     .payload_bytes = static_cast<uint32_t>(payload),
                     .mark = mark,
                     .records_before = records_before};
  size_t at = 0;
  for (const TableEntry& row : open_rows_) {
    const std::span<const std::byte> record = records.subspan(at, row.bytes);
    const absl::StatusOr<RecordView> view = ParseRecord(record);
    // Only a power cut leaves rows without their records, and it was promised nothing: all or nothing then.
    if (!view.ok() || Crc32c(record) != row.crc) co_return core::Slice();
    if (at == 0) header.first_store_time = view->store_timestamp;
    header.last_store_time = view->store_timestamp;
    at += row.bytes;
  }
  EncodeBatch(log_, header, open_rows_, {bytes.data(), bytes.size()});
  co_return bytes;
}

core::Task<absl::Status> AppendRemains::Close() { co_return co_await file_.Close(); }

}  // namespace store
