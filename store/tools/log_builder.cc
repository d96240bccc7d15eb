#include "store/tools/log_builder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/file.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/due_record.h"
#include "store/log_options.h"
#include "store/mark_file.h"
#include "store/record.h"

namespace store::tools {
namespace {

constexpr size_t kPositionOffset = 28;  // of a record: record.h
constexpr uint32_t kFirstEpoch = 1;

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<LogBuilder>>> LogBuilder::Open(std::string directory, LogIdentity log,
                                                                         uint64_t segment_bytes) {
  std::unique_ptr<LogBuilder> builder(new LogBuilder(std::move(directory), log, segment_bytes));
  const absl::Status begun = co_await builder->Begin();
  if (begun.ok()) co_return builder;
  co_await builder->Close();
  co_return begun;
}

core::Task<absl::Status> LogBuilder::Begin() {
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(directory_));
  buffer_ = core::Reactor::Current().buffers().Allocate(kBatchBytesMax);
  CO_RETURN_IF_ERROR(co_await NextSegment());
  co_return co_await WriteBatch(BatchKind::kEndMarker);
}

core::Task<absl::Status> LogBuilder::NextSegment() {
  uint64_t begin = 0;
  if (segment_ != nullptr) {
    begin = segment_->limit();
    CO_RETURN_IF_ERROR(co_await segment_->log.Sync());
    CO_RETURN_IF_ERROR(co_await segment_->log.Close());
  }
  CO_ASSIGN_OR_RETURN(segment_, co_await CreateSegment(directory_, log_, begin, segment_bytes_));
  position_ = segment_->data_begin();
  co_return absl::OkStatus();
}

core::Task<absl::Status> LogBuilder::WriteBatch(BatchKind kind) {
  BatchHeader header{.kind = kind,
                     .previous_crc = previous_crc_,
                     .epoch = kFirstEpoch,
                     .position = position_,
                     .payload_bytes = static_cast<uint32_t>(payload_bytes_),
                     .mark = segment_->position,  // the segments before it were flushed
                     .first_store_time = first_time_,
                     .last_store_time = last_time_,
                     .records_before = records_};
  const uint64_t bytes = BatchBytes(payload_bytes_, table_.size());
  EncodeBatch(log_, header, table_, {buffer_.data(), bytes});
  CO_RETURN_IF_ERROR(
      co_await segment_->log.WriteAt(position_ - segment_->position, buffer_.bytes().first(bytes), false));
  position_ += bytes;
  previous_crc_ = header.crc;
  records_ += table_.size();
  table_.clear();
  payload_bytes_ = 0;
  first_time_ = last_time_;
  co_return absl::OkStatus();
}

core::Task<absl::Status> LogBuilder::Add(std::span<const std::byte> record, uint64_t queue_hash, int64_t queue_offset,
                                         int64_t tags_code, core::WallMillis store_time) {
  const uint64_t alone = BatchBytes(record.size(), 1);
  if (alone > segment_bytes_ - kBlock) {
    co_return absl::InvalidArgumentError(core::StrCat("a message of ", record.size(),
                                                      " bytes does not fit into segments of ", segment_bytes_,
                                                      " bytes: choose larger ones"));
  }
  const uint64_t bytes_max = std::min<uint64_t>(kBatchBytesMax, segment_->limit() - position_);
  if (!table_.empty() && BatchBytes(payload_bytes_ + record.size(), table_.size() + 1) > bytes_max) {
    CO_RETURN_IF_ERROR(co_await WriteBatch(BatchKind::kRecords));
  }
  if (table_.empty() && alone > segment_->limit() - position_) CO_RETURN_IF_ERROR(co_await NextSegment());
  if (alone > buffer_.size()) buffer_ = core::Reactor::Current().buffers().Allocate(alone);
  std::byte* const at = buffer_.data() + kBatchHeaderBytes + payload_bytes_;
  std::memcpy(at, record.data(), record.size());
  ClearDueLink({at, record.size()});
  StoreBig(at + kPositionOffset,
           MakePhysicalOffset(log_.log_number, position_ + kBatchHeaderBytes + payload_bytes_).value());
  table_.push_back({.bytes = static_cast<uint32_t>(record.size()),
                    .crc = Crc32c({at, record.size()}),
                    .queue_hash = queue_hash,
                    .queue_offset = queue_offset,
                    .tags_code = tags_code});
  if (table_.size() == 1) first_time_ = store_time;
  last_time_ = store_time;
  payload_bytes_ += record.size();
  co_return absl::OkStatus();
}

core::Task<void> LogBuilder::Close() {
  if (segment_ != nullptr && segment_->log.is_open()) (void)co_await segment_->log.Close();
}

core::Task<absl::Status> LogBuilder::Finish() {
  if (!table_.empty()) CO_RETURN_IF_ERROR(co_await WriteBatch(BatchKind::kRecords));
  CO_RETURN_IF_ERROR(co_await segment_->log.Sync());
  CO_RETURN_IF_ERROR(co_await segment_->log.Close());
  CO_ASSIGN_OR_RETURN(MarkFile marks, co_await MarkFile::Open(directory_, log_));
  const absl::Status recorded = co_await marks.RecordClosed(position_);
  const absl::Status closed = co_await marks.Close();
  CO_RETURN_IF_ERROR(recorded);
  CO_RETURN_IF_ERROR(closed);
  co_return co_await core::fs::SyncDirectory(directory_);
}

}  // namespace store::tools
