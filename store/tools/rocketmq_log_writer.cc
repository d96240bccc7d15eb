#include "store/tools/rocketmq_log_writer.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/bytes.h"
#include "store/due_record.h"

namespace store::tools {
namespace {

constexpr size_t kWriteBytes = size_t{4} << 20;
constexpr size_t kRecordPositionOffset = 28;  // of a record: record.h

}  // namespace

core::Task<absl::Status> RocketMqLogWriter::Flush() {
  if (pending_.empty()) co_return absl::OkStatus();
  const uint64_t offset = position_ - pending_.size() - file_begin_;
  CO_RETURN_IF_ERROR(co_await file_.WriteAt(offset, std::as_bytes(std::span(pending_.data(), pending_.size())), false));
  pending_.clear();
  co_return absl::OkStatus();
}

core::Task<absl::Status> RocketMqLogWriter::CloseFile() {
  if (!file_.is_open()) co_return absl::OkStatus();
  absl::Status status = co_await Flush();
  if (status.ok()) status = co_await file_.Truncate(file_bytes_);
  if (status.ok()) status = co_await file_.Sync();
  const absl::Status closed = co_await file_.Close();
  co_return status.ok() ? closed : status;
}

core::Task<absl::Status> RocketMqLogWriter::Roll() {
  if (file_.is_open()) {
    std::byte blank[kBlankBytes];
    StoreBig(blank, static_cast<uint32_t>(room()));
    StoreBig(blank + 4, kBlankMagic);
    const uint64_t next = file_begin_ + file_bytes_;
    pending_.append(reinterpret_cast<const char*>(blank), sizeof(blank));
    position_ += sizeof(blank);
    CO_RETURN_IF_ERROR(co_await CloseFile());
    position_ = next;
  }
  file_begin_ = position_;
  const std::string path = absl::StrFormat("%s/%020d", directory_, file_begin_);
  CO_ASSIGN_OR_RETURN(file_, co_await core::File::Open(path, {.write = true, .create = true, .exclusive = true}));
  co_return absl::OkStatus();
}

core::Task<absl::Status> RocketMqLogWriter::Append(std::span<const std::byte> record) {
  if (record.size() + kBlankBytes > file_bytes_) {
    co_return absl::InvalidArgumentError(core::StrCat("a message of ", record.size(),
                                                      " bytes does not fit into files of ", file_bytes_,
                                                      " bytes: choose larger ones"));
  }
  if (!file_.is_open() || record.size() + kBlankBytes > room()) CO_RETURN_IF_ERROR(co_await Roll());
  const size_t at = pending_.size();
  pending_.append(reinterpret_cast<const char*>(record.data()), record.size());
  StoreBig(reinterpret_cast<std::byte*>(pending_.data()) + at + kRecordPositionOffset, position_);
  ClearDueLink({reinterpret_cast<std::byte*>(pending_.data()) + at, record.size()});
  position_ += record.size();
  if (pending_.size() >= kWriteBytes) co_return co_await Flush();
  co_return absl::OkStatus();
}

core::Task<absl::Status> RocketMqLogWriter::Finish() {
  if (!file_.is_open()) CO_RETURN_IF_ERROR(co_await Roll());
  CO_RETURN_IF_ERROR(co_await CloseFile());
  co_return co_await core::fs::SyncDirectory(directory_);
}

core::Task<void> RocketMqLogWriter::Close() {
  if (file_.is_open()) (void)co_await file_.Close();
}

}  // namespace store::tools
