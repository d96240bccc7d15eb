#include "store/key_run.h"

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

constexpr size_t kKeyHeaderCrcOffset = 84;
constexpr uint32_t kFlagOutOfOrder = 1;
constexpr uint32_t kFlagUnreadable = 2;
/// Read at once to find a hash: of a million entries nearly all lie within so many pages of where they should.
constexpr uint64_t kFindPages = 16;

bool Possible(const KeyRunHeader& header) {
  const KeyStretch& stretch = header.stretch;
  return stretch.begin < stretch.end && stretch.resume <= stretch.end && stretch.resume % kBlock == 0 &&
         stretch.end - stretch.begin <= kSegmentBytesMax && header.entries <= uint64_t{UINT32_MAX} * kRunPageEntries &&
         stretch.time_min <= stretch.time_max;
}

core::Task<absl::Status> ReadHeader(core::File& file, LogIdentity log, uint64_t begin, KeyRunHeader& header) {
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  const absl::Status read = co_await file.ReadExactlyAt(0, {block.data(), block.size()});
  if (absl::IsOutOfRange(read)) co_return absl::DataLossError(read.message());
  CO_RETURN_IF_ERROR(read);
  const absl::StatusOr<KeyRunHeader> parsed = ParseKeyRunHeader(block.bytes(), log, begin);
  if (!parsed.ok()) co_return core::Annotate(parsed.status(), file.path());
  header = *parsed;
  co_return absl::OkStatus();
}

}  // namespace

std::string KeyRunPath(const std::string& directory, uint64_t begin) {
  return SegmentFilePath(directory, begin, kKeyRunSuffix);
}

void EncodeKeyRunHeader(const LogIdentity& log, const KeyRunHeader& header, std::span<std::byte> block) {
  CORE_ASSERT(block.size() == kBlock && Possible(header));
  std::memset(block.data(), 0, block.size());
  std::byte* const at = block.data();
  const KeyStretch& stretch = header.stretch;
  StoreLittle(at, kKeyRunMagic);
  StoreLittle(at + 8, kKeyRunVersion);
  StoreLittle(at + 12, log.log_number);
  StoreLittle(at + 16, log.store_id.high);
  StoreLittle(at + 24, log.store_id.low);
  StoreLittle(at + 32, stretch.begin);
  StoreLittle(at + 40, stretch.end);
  StoreLittle(at + 48, stretch.resume);
  StoreLittle(at + 56, header.entries);
  StoreLittle(at + 64, stretch.time_min);
  StoreLittle(at + 72, stretch.time_max);
  StoreLittle(at + 80, (stretch.in_order ? 0 : kFlagOutOfOrder) | (stretch.unreadable ? kFlagUnreadable : 0));
  StoreLittle(at + kKeyHeaderCrcOffset, Crc32c({at, kKeyHeaderCrcOffset}));
}

absl::StatusOr<KeyRunHeader> ParseKeyRunHeader(std::span<const std::byte> block, const LogIdentity& log,
                                               uint64_t begin) {
  if (block.size() < kBlock) return absl::DataLossError("shorter than its header");
  const std::byte* const at = block.data();
  if (LoadLittle<uint64_t>(at) != kKeyRunMagic ||
      LoadLittle<uint32_t>(at + kKeyHeaderCrcOffset) != Crc32c({at, kKeyHeaderCrcOffset})) {
    return absl::DataLossError("it has no good header");
  }
  const StoreId store_id{LoadLittle<uint64_t>(at + 16), LoadLittle<uint64_t>(at + 24)};
  const uint32_t flags = LoadLittle<uint32_t>(at + 80);
  const KeyRunHeader header{.stretch = {.begin = LoadLittle<uint64_t>(at + 32),
                                        .end = LoadLittle<uint64_t>(at + 40),
                                        .resume = LoadLittle<uint64_t>(at + 48),
                                        .time_min = LoadLittle<int64_t>(at + 64),
                                        .time_max = LoadLittle<int64_t>(at + 72),
                                        .in_order = (flags & kFlagOutOfOrder) == 0,
                                        .unreadable = (flags & kFlagUnreadable) != 0},
                            .entries = LoadLittle<uint64_t>(at + 56)};
  if (LoadLittle<uint32_t>(at + 8) != kKeyRunVersion || (flags & ~(kFlagOutOfOrder | kFlagUnreadable)) != 0 ||
      !(store_id == log.store_id) || LoadLittle<uint32_t>(at + 12) != log.log_number || header.stretch.begin != begin ||
      !Possible(header)) {
    return absl::DataLossError("its header is that of another file or version");
  }
  return header;
}

core::Task<absl::StatusOr<std::unique_ptr<KeyRun>>> KeyRun::Open(std::string directory, LogIdentity log,
                                                                 uint64_t begin) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(KeyRunPath(directory, begin), {.direct = true}));
  KeyRunHeader header;
  const absl::Status status = co_await ReadHeader(file, log, begin, header);
  if (status.ok()) co_return std::unique_ptr<KeyRun>(new KeyRun(std::move(file), log, header));
  (void)co_await file.Close();
  co_return status;
}

core::Task<absl::StatusOr<KeyRun::Range>> KeyRun::Find(uint64_t hash) {
  Range range;
  if (entries() == 0) co_return range;
  const auto share = static_cast<double>(hash) / 18446744073709551616.0;  // 2^64
  const auto guess = static_cast<uint64_t>(share * static_cast<double>(pages()));
  const uint64_t last = pages() - std::min(pages(), kFindPages);
  const uint64_t first = std::min(guess - std::min(guess, kFindPages / 2), last);
  CO_RETURN_IF_ERROR(co_await Read(first, kFindPages, range.window));
  range.window_begin = first * kRunPageEntries;
  const uint64_t window_end = range.window_begin + range.window.size();
  const bool begins_before = first == 0 || range.window.front().hash < hash;
  const bool ends_behind = window_end == entries() || range.window.back().hash > hash;
  const KeyEntry least{hash, {}};
  if (begins_before && ends_behind) {
    const auto found = std::equal_range(range.window.begin(), range.window.end(), least,
                                        [](const KeyEntry& a, const KeyEntry& b) { return a.hash < b.hash; });
    range.begin = range.window_begin + static_cast<uint64_t>(found.first - range.window.begin());
    range.end = range.window_begin + static_cast<uint64_t>(found.second - range.window.begin());
    co_return range;
  }
  CO_ASSIGN_OR_RETURN(range.begin, co_await LowerBound(least));
  range.end = entries();
  if (hash < UINT64_MAX) {
    const KeyEntry behind{hash + 1, {}};
    CO_ASSIGN_OR_RETURN(range.end, co_await LowerBound(behind));
  }
  co_return range;
}

core::Task<absl::StatusOr<RecordRef>> KeyRun::At(Range& range, uint64_t number) {
  CORE_ASSERT(number >= range.begin && number < range.end);
  if (number < range.window_begin || number >= range.window_begin + range.window.size()) {
    range.window.clear();
    const uint64_t page = number / kRunPageEntries;
    range.window_begin = page * kRunPageEntries;
    CO_RETURN_IF_ERROR(co_await Read(page, 1, range.window));
  }
  co_return range.window[number - range.window_begin].record;
}

core::Task<absl::StatusOr<std::unique_ptr<KeyRunWriter>>> KeyRunWriter::Create(std::string directory, LogIdentity log,
                                                                               KeyStretch stretch) {
  const std::string path = SegmentFilePath(directory, stretch.begin, kNewKeyRunSuffix);
  CO_ASSIGN_OR_RETURN(core::File file,
                      co_await core::File::Open(path, {.write = true, .create = true, .direct = true}));
  const absl::Status emptied = co_await file.Truncate(0);  // it may be there from a time when it could not be removed
  if (!emptied.ok()) {
    (void)co_await file.Close();
    co_return emptied;
  }
  std::unique_ptr<KeyRunWriter> writer(new KeyRunWriter(std::move(directory), log, stretch, std::move(file)));
  co_return writer;
}

core::Task<absl::StatusOr<std::unique_ptr<KeyRun>>> KeyRunWriter::Finish() {
  const KeyRunHeader header{.stretch = stretch_, .entries = file_.entries()};
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  EncodeKeyRunHeader(log_, header, {block.data(), kBlock});
  absl::Status status = co_await file_.Finish(block);
  if (!status.ok()) {
    co_await Abandon();
    co_return status;
  }
  core::File written = file_.TakeFile();
  const std::string path = written.path();
  status = co_await core::fs::Rename(path, KeyRunPath(directory_, stretch_.begin));
  if (status.ok()) status = co_await core::fs::SyncDirectory(directory_);
  (void)co_await written.Close();
  if (!status.ok()) {
    (void)co_await core::fs::Remove(path);
    co_return status;
  }
  co_return co_await KeyRun::Open(directory_, log_, stretch_.begin);
}

}  // namespace store
