#include "store/due_run.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/reactor.h"
#include "core/status.h"
#include "store/bytes.h"
#include "store/crc.h"
#include "store/segment.h"

namespace store {
namespace {

constexpr size_t kHeaderCrcOffset = 68;

}  // namespace

std::string DueRunPath(const std::string& directory, uint64_t number) {
  return SegmentFilePath(directory, number, kDueRunSuffix);
}

void EncodeDueRunHeader(const DueRunName& name, const DueRunHeader& header, std::span<std::byte> block) {
  std::memset(block.data(), 0, block.size());
  std::byte* const at = block.data();
  StoreLittle(at, kDueRunMagic);
  StoreLittle(at + 8, kDueRunVersion);
  StoreLittle(at + 12, name.log.log_number);
  StoreLittle(at + 16, name.log.store_id.high);
  StoreLittle(at + 24, name.log.store_id.low);
  StoreLittle(at + 32, name.number);
  StoreLittle(at + 40, header.entries);
  StoreLittle(at + 48, header.taken_back);
  StoreLittle(at + 56, header.lowest_position);
  StoreLittle(at + 64, static_cast<uint32_t>(name.kind));
  StoreLittle(at + kHeaderCrcOffset, Crc32c({at, kHeaderCrcOffset}));
}

absl::StatusOr<DueRunHeader> ParseDueRunHeader(std::span<const std::byte> block, const DueRunName& name) {
  if (block.size() < kBlock) return absl::DataLossError("shorter than its header");
  const std::byte* const at = block.data();
  if (LoadLittle<uint64_t>(at) != kDueRunMagic ||
      LoadLittle<uint32_t>(at + kHeaderCrcOffset) != Crc32c({at, kHeaderCrcOffset})) {
    return absl::DataLossError("it has no good header");
  }
  const StoreId store_id{LoadLittle<uint64_t>(at + 16), LoadLittle<uint64_t>(at + 24)};
  DueRunHeader header{.entries = LoadLittle<uint64_t>(at + 40),
                      .taken_back = LoadLittle<uint64_t>(at + 48),
                      .lowest_position = LoadLittle<uint64_t>(at + 56)};
  if (LoadLittle<uint32_t>(at + 8) != kDueRunVersion || !(store_id == name.log.store_id) ||
      LoadLittle<uint32_t>(at + 12) != name.log.log_number || LoadLittle<uint64_t>(at + 32) != name.number ||
      LoadLittle<uint32_t>(at + 64) != static_cast<uint32_t>(name.kind) || header.entries == 0 ||
      header.entries > uint64_t{UINT32_MAX} * kRunPageEntries || header.taken_back > header.entries) {
    return absl::DataLossError("its header is that of another file or version");
  }
  return header;
}

core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> DueRun::Open(std::string directory, DueRunName name) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(DueRunPath(directory, name.number), {.direct = true}));
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  absl::Status status = co_await file.ReadExactlyAt(0, {block.data(), block.size()});
  if (status.ok()) {
    const absl::StatusOr<DueRunHeader> header = ParseDueRunHeader(block.bytes(), name);
    if (header.ok()) co_return std::unique_ptr<DueRun>(new DueRun(std::move(file), name, *header));
    status = core::Annotate(header.status(), file.path());
  }
  (void)co_await file.Close();
  co_return status;
}

core::Task<absl::StatusOr<std::unique_ptr<DueRunWriter>>> DueRunWriter::Create(std::string directory, DueRunName name) {
  const std::string path = DueRunPath(directory, name.number);
  CO_ASSIGN_OR_RETURN(core::File file,
                      co_await core::File::Open(path, {.write = true, .create = true, .direct = true}));
  co_return std::unique_ptr<DueRunWriter>(new DueRunWriter(std::move(directory), name, std::move(file)));
}

DueRunWriter::DueRunWriter(std::string directory, const DueRunName& name, core::File file)
    : directory_(std::move(directory)),
      name_(name),
      header_{.lowest_position = UINT64_MAX},
      file_(std::move(file), name.PageMark()) {}

void DueRunWriter::Add(const DueEntry& entry) {
  file_.Add(entry);
  ++header_.entries;
  if (entry.taken_back()) ++header_.taken_back;
  header_.lowest_position = std::min(header_.lowest_position, entry.position());
}

core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> DueRunWriter::Finish() {
  CORE_ASSERT(header_.entries > 0);
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  EncodeDueRunHeader(name_, header_, {block.data(), kBlock});
  absl::Status status = co_await file_.Finish(block);
  if (status.ok()) status = co_await core::fs::SyncDirectory(directory_);
  if (!status.ok()) {
    co_await Abandon();
    co_return status;
  }
  co_return std::unique_ptr<DueRun>(new DueRun(file_.TakeFile(), name_, header_));
}

}  // namespace store
