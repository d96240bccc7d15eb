#include "store/mark_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/reactor.h"
#include "core/status.h"
#include "store/all_zero.h"
#include "store/crc.h"

namespace store {
namespace {

constexpr uint64_t kMarkMagic = 0x4B52414D474E5252;  // "RRNGMARK"
constexpr size_t kMarkCrcOffset = 48;
constexpr size_t kSlots = 2;

}  // namespace

absl::StatusOr<MarkFile::Slot> MarkFile::ParseSlot(std::span<const std::byte> block, LogIdentity log) {
  const std::byte* at = block.data();
  if (AllZero(block)) return absl::NotFoundError("no mark");
  if (LoadLittle<uint64_t>(at) != kMarkMagic || LoadLittle<uint32_t>(at + kMarkCrcOffset) != Crc32c({at, kMarkCrcOffset})) {
    return absl::DataLossError("the mark's checksum is wrong");
  }
  const StoreId store_id{LoadLittle<uint64_t>(at + 8), LoadLittle<uint64_t>(at + 16)};
  if (!(store_id == log.store_id) || LoadLittle<uint32_t>(at + 24) != log.log_number) {
    return absl::FailedPreconditionError("it is of another store or log");
  }
  return Slot{.sequence = LoadLittle<uint64_t>(at + 32),
              .mark = LoadLittle<uint64_t>(at + 40),
              .closed = LoadLittle<uint32_t>(at + 28) == 1};
}

core::Task<absl::StatusOr<MarkFile>> MarkFile::Open(std::string directory, LogIdentity log) {
  MarkFile marks;
  marks.log_ = log;
  const std::string path = directory + "/flushed";
  CO_ASSIGN_OR_RETURN(marks.file_, co_await core::File::Open(path, {.write = true, .create = true, .direct = true}));
  absl::Status status = co_await marks.file_.Allocate(kSlots * kBlock);
  const core::Slice buffer = core::Reactor::Current().buffers().Allocate(kSlots * kBlock);
  if (status.ok()) status = co_await marks.file_.ReadExactlyAt(0, {buffer.data(), buffer.size()});
  for (size_t i = 0; status.ok() && i < kSlots; ++i) {
    const absl::StatusOr<Slot> slot = ParseSlot(buffer.bytes().subspan(i * kBlock, kBlock), log);
    if (absl::IsFailedPrecondition(slot.status())) status = core::Annotate(slot.status(), path);
    if (!slot.ok()) continue;
    if (slot->sequence > marks.sequence_) {
      marks.sequence_ = slot->sequence;
      marks.clean_ = slot->closed;
    }
    marks.mark_ = std::max(marks.mark_, slot->mark);
  }
  if (!status.ok()) {
    (void)co_await marks.file_.Close();
    co_return status;
  }
  co_return marks;
}

core::Task<absl::Status> MarkFile::Record(uint64_t mark) { co_return co_await Write(mark, false, false); }
core::Task<absl::Status> MarkFile::RecordOpened(uint64_t mark) { co_return co_await Write(mark, false, true); }
core::Task<absl::Status> MarkFile::RecordClosed(uint64_t mark) { co_return co_await Write(mark, true, true); }

core::Task<absl::Status> MarkFile::Write(uint64_t mark, bool closed, bool durable) {
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  std::byte* at = block.data();
  std::memset(at, 0, kBlock);
  ++sequence_;
  mark_ = mark;
  StoreLittle<uint64_t>(at, kMarkMagic);
  StoreLittle<uint64_t>(at + 8, log_.store_id.high);
  StoreLittle<uint64_t>(at + 16, log_.store_id.low);
  StoreLittle<uint32_t>(at + 24, log_.log_number);
  StoreLittle<uint32_t>(at + 28, closed ? 1 : 0);
  StoreLittle<uint64_t>(at + 32, sequence_);
  StoreLittle<uint64_t>(at + 40, mark);
  StoreLittle<uint32_t>(at + kMarkCrcOffset, Crc32c({at, kMarkCrcOffset}));
  co_return co_await file_.WriteAt((sequence_ % kSlots) * kBlock, block.bytes(), durable);
}

core::Task<absl::Status> MarkFile::Close() {
  if (!file_.is_open()) co_return absl::OkStatus();
  co_return co_await file_.Close();
}

}  // namespace store
