#include "store/tools/rocketmq_log_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/bytes.h"
#include "store/segment.h"
#include "store/tools/rocketmq_log_writer.h"

namespace store::tools {
namespace {

constexpr size_t kWindowBytes = size_t{2} << 20;

}  // namespace

std::string RocketMqLogReader::FilePath() const { return absl::StrFormat("%s/%020d", directory_, files_[index_]); }

core::Task<absl::Status> RocketMqLogReader::Open() {
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries, co_await core::fs::List(directory_));
  for (const core::DirectoryEntry& entry : entries) {
    if (const std::optional<uint64_t> position = PositionOfSegmentName(entry.name, "")) files_.push_back(*position);
  }
  std::sort(files_.begin(), files_.end());
  for (index_ = 0; index_ < files_.size(); ++index_) {
    CO_ASSIGN_OR_RETURN(const core::FileInfo info, co_await core::fs::Stat(FilePath()));
    if (index_ == 0) file_bytes_ = info.bytes;
    if (info.bytes != file_bytes_ || files_[index_] != files_[0] + index_ * file_bytes_) {
      co_return absl::FailedPreconditionError(core::StrCat(
          FilePath(), " has ", info.bytes, " bytes and does not continue files of ", file_bytes_, " bytes"));
    }
  }
  index_ = 0;
  if (files_.empty()) co_return absl::OkStatus();
  CO_ASSIGN_OR_RETURN(file_, co_await core::File::Open(FilePath(), {}));
  co_return absl::OkStatus();
}

core::Task<void> RocketMqLogReader::Close() {
  if (file_.is_open()) (void)co_await file_.Close();
}

/// The window holds [offset, offset + bytes) of the file.
core::Task<absl::Status> RocketMqLogReader::Fill(uint64_t offset, size_t bytes) {
  if (offset >= window_begin_ && offset + bytes <= window_begin_ + window_.size()) co_return absl::OkStatus();
  window_.resize(std::min<uint64_t>(std::max(bytes, kWindowBytes), file_bytes_ - offset));
  window_begin_ = offset;
  co_return co_await file_.ReadExactlyAt(offset, std::as_writable_bytes(std::span(window_.data(), window_.size())));
}

core::Task<absl::StatusOr<bool>> RocketMqLogReader::NextFile() {
  (void)co_await file_.Close();
  window_.clear();
  offset_ = window_begin_ = 0;
  if (++index_ == files_.size()) co_return false;
  CO_ASSIGN_OR_RETURN(file_, co_await core::File::Open(FilePath(), {}));
  co_return true;
}

core::Task<absl::StatusOr<std::optional<RocketMqRecord>>> RocketMqLogReader::Next() {
  while (file_.is_open()) {
    if (file_bytes_ - offset_ < kBlankBytes) {
      CO_ASSIGN_OR_RETURN(const bool more, co_await NextFile());
      if (!more) break;
      continue;
    }
    CO_RETURN_IF_ERROR(co_await Fill(offset_, kBlankBytes));
    const auto* head = reinterpret_cast<const std::byte*>(window_.data()) + (offset_ - window_begin_);
    const uint32_t bytes = LoadBig<uint32_t>(head);
    const uint32_t magic = LoadBig<uint32_t>(head + 4);
    if (magic == kBlankMagic) {
      CO_ASSIGN_OR_RETURN(const bool more, co_await NextFile());
      if (!more) break;
      continue;
    }
    absl::Status broken = absl::DataLossError("no record begins here");
    if ((magic == kRecordMagicV1 || magic == kRecordMagicV2) && bytes >= kRecordBytesMin &&
        bytes <= file_bytes_ - offset_) {
      CO_RETURN_IF_ERROR(co_await Fill(offset_, bytes));
      RocketMqRecord one{.position = files_[index_] + offset_, .bytes = {}, .record = {}};
      one.bytes = std::as_bytes(std::span(window_.data(), window_.size())).subspan(offset_ - window_begin_, bytes);
      const absl::StatusOr<RecordView> record = ParseRecord(one.bytes);
      broken = record.status();
      if (record.ok()) {
        one.record = *record;
        offset_ += bytes;
        co_return one;
      }
    }
    // RocketMQ makes a file ahead: all zero, it holds nothing.
    const bool last = index_ + 1 == files_.size() || (index_ + 2 == files_.size() && bytes == 0 && magic == 0);
    if (!last) {
      co_return core::Annotate(broken,
                               core::StrCat(FilePath(), " at byte ", offset_,
                                            ": RocketMQ itself would cut its log here, and there are files behind it"));
    }
    break;
  }
  (void)co_await Close();
  co_return std::optional<RocketMqRecord>();
}

}  // namespace store::tools
