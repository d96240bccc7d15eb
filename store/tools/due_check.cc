#include "store/tools/due_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/file.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/due_row.h"
#include "store/due_run.h"
#include "store/segment.h"

namespace store::tools {
namespace {

constexpr uint64_t kPiecePages = 256;
constexpr size_t kHeaderUsed = 68;
constexpr std::string_view kMadeAnew =
    "costs nothing: the index of waiting messages is made anew from the log, which takes as long as reading the log";

/// One file and what is to be said of it.
class RunCheck {
 public:
  RunCheck(std::string file, bool named, std::vector<Finding>& findings)
      : file_(std::move(file)), named_(named), findings_(findings) {}

  core::Task<void> Read(core::File& file, const LogIdentity& log, DueRunOverview& run) {
    const core::Slice memory = core::Reactor::Current().buffers().Allocate(kPiecePages * kBlock);
    const absl::Status read = co_await file.ReadExactlyAt(0, {memory.data(), kBlock});
    const std::span<const std::byte> block = memory.bytes().first(kBlock);
    if (absl::IsOutOfRange(read) || (read.ok() && AllZero(block))) {
      // The header comes last: until then no checkpoint names the file.
      if (named_)
        Damage(0, std::min<uint64_t>(run.bytes, kBlock), "it has no header");
      else
        Note("it is not finished: it is being written, or was when the broker ended");
      co_return;
    }
    if (!read.ok()) {
      Damage(0, kBlock, core::StrCat("the header can't be read: ", core::ToStd(read.message())));
      co_return;
    }
    const absl::StatusOr<DueRunHeader> header = ParseDueRunHeader(block, log, run.number);
    if (!header.ok()) {
      Damage(0, kBlock, std::string(header.status().message()));
      co_return;
    }
    run.entries = header->entries;
    if (!AllZero(block.subspan(kHeaderUsed))) {
      findings_.push_back({.file = file_,
                           .begin = kHeaderUsed,
                           .end = kBlock,
                           .what = "bytes behind the header are not zero",
                           .effect = "costs nothing: nothing is kept there"});
    }
    run.bytes_read = kBlock;
    const uint64_t pages = (header->entries + kRunPageEntries - 1) / kRunPageEntries;
    for (uint64_t page = 0; page < pages; page += kPiecePages) {
      const uint64_t count = std::min(kPiecePages, pages - page);
      const absl::StatusOr<size_t> got = co_await file.ReadAt((1 + page) * kBlock, {memory.data(), count * kBlock});
      for (uint64_t i = 0; i < count; ++i) {
        if (got.ok() && *got < (i + 1) * kBlock) {
          Damage(run.bytes, (1 + pages) * kBlock,
                 core::StrCat("the file was cut short: it has ", run.bytes, " of its ", (1 + pages) * kBlock, " bytes"));
          co_return;
        }
        // A sector that can't be read costs what lies in it: its neighbours are asked for one by one.
        absl::Status readable = got.status();
        if (!got.ok()) readable = co_await file.ReadExactlyAt((1 + page + i) * kBlock, {memory.data() + i * kBlock, kBlock});
        CheckPage(memory.bytes().subspan(i * kBlock, kBlock), readable, *header, page + i);
        run.bytes_read += kBlock;
      }
    }
    if (whole_ && (taken_back_ != header->taken_back || lowest_ != header->lowest_position))
      Damage(0, kBlock, "the header does not fit the entries");
  }

 private:
  static bool AllZero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  }

  void CheckPage(std::span<const std::byte> block, const absl::Status& readable, const DueRunHeader& header,
                 uint64_t page) {
    std::vector<DueEntry> entries;
    absl::Status status = readable;
    if (status.ok()) status = ParseDuePage(block, header.number, static_cast<uint32_t>(page), entries);
    const uint64_t wanted = std::min<uint64_t>(kRunPageEntries, header.entries - page * kRunPageEntries);
    if (status.ok() && entries.size() != wanted) status = absl::DataLossError("it has not all of its entries");
    for (const DueEntry& entry : entries) {
      if (status.ok() && last_.has_value() && entry < *last_)
        status = absl::DataLossError("its entries are not in their order");
      last_ = entry;
      if (entry.taken_back()) ++taken_back_;
      lowest_ = std::min(lowest_, entry.position());
    }
    if (status.ok()) return;
    whole_ = false;
    last_.reset();
    Damage((1 + page) * kBlock, (2 + page) * kBlock, core::StrCat("page ", page, ": ", core::ToStd(status.message())));
  }

  void Damage(uint64_t begin, uint64_t end, std::string what) {
    // What no checkpoint names is of no use, whole or not.
    findings_.push_back({.severity = named_ ? Severity::kDamage : Severity::kNote,
                         .file = file_,
                         .begin = begin,
                         .end = end,
                         .what = std::move(what),
                         .effect = std::string(named_ ? kMadeAnew : "removed at the next start")});
  }
  void Note(std::string what) {
    findings_.push_back(
        {.severity = Severity::kNote, .file = file_, .what = std::move(what), .effect = "removed at the next start"});
  }

  const std::string file_;
  const bool named_;
  std::vector<Finding>& findings_;
  std::optional<DueEntry> last_;
  uint64_t taken_back_ = 0;
  uint64_t lowest_ = UINT64_MAX;
  bool whole_ = true;
};

/// Where an index is: its folder, and the key of its checkpoint.
struct Place {
  std::string folder;
  std::string_view key;
};

const std::string* RowOf(const MetaContent& meta, const Place& place) {
  const MetaContent::Table& table = meta.All(MetaTable::kDue);
  const auto found = table.find(place.key);
  return found == table.end() ? nullptr : &found->second;
}

/// The runs that the checkpoint names. One that can't be read names none.
std::map<uint64_t, DueCheckpoint::Run> NamedRuns(const MetaContent& meta, const Place& place, uint32_t log,
                                                 std::vector<Finding>& findings) {
  std::map<uint64_t, DueCheckpoint::Run> named;
  const std::string* const row = RowOf(meta, place);
  if (row == nullptr) return named;
  const absl::StatusOr<DueCheckpoint> checkpoint = ParseDueCheckpoint(*row);
  if (!checkpoint.ok()) {
    findings.push_back({.file = core::StrCat("meta-", log, "/meta.log"),
                        .what = core::StrCat("of the index of waiting messages ", core::ToStd(checkpoint.status().message())),
                        .effect = std::string(kMadeAnew)});
    return named;
  }
  for (const DueCheckpoint::Run& run : checkpoint->runs) named[run.number] = run;
  return named;
}

/// Looks once at all of them. False: a file that is named was not there.
core::Task<bool> CheckOnce(std::string root, Place place, LogIdentity log, const MetaContent& meta, std::vector<Finding>& findings,
                           std::vector<DueRunOverview>& runs) {
  const std::string directory = core::StrCat(root, "/", place.folder);
  const std::map<uint64_t, DueCheckpoint::Run> named = NamedRuns(meta, place, log.log_number, findings);
  std::set<uint64_t> numbers;
  for (const auto& [number, run] : named) numbers.insert(number);
  const absl::StatusOr<std::vector<core::DirectoryEntry>> files = co_await core::fs::List(directory);
  if (files.ok()) {
    for (const core::DirectoryEntry& file : *files) {
      const std::optional<uint64_t> number = PositionOfSegmentName(file.name, kDueRunSuffix);
      if (number.has_value()) numbers.insert(*number);
    }
  }
  bool all = true;
  for (const uint64_t number : numbers) {
    const auto known = named.find(number);
    DueRunOverview run{.folder = place.folder, .number = number, .named = known != named.end()};
    if (run.named) run.done = known->second.next;
    const std::string path = DueRunPath(directory, number);
    const std::string below = DueRunPath(place.folder, number);
    const absl::StatusOr<core::FileInfo> info = co_await core::fs::Stat(path);
    absl::StatusOr<core::File> opened =
        info.ok() ? co_await core::File::Open(path, {.direct = true}) : absl::StatusOr<core::File>(info.status());
    if (!opened.ok()) {
      const bool missing = absl::IsNotFound(opened.status());
      if (missing && !run.named) continue;  // a running broker has just removed it
      all = all && !missing;
      findings.push_back({.severity = run.named ? Severity::kDamage : Severity::kNote,
                          .file = below,
                          .what = missing ? std::string("the file is missing") : std::string(opened.status().message()),
                          .effect = std::string(kMadeAnew)});
      continue;
    }
    run.bytes = info->bytes;
    core::File file = *std::move(opened);
    co_await RunCheck(below, run.named, findings).Read(file, log, run);
    (void)co_await file.Close();
    if (run.named && run.entries > 0 && run.done > run.entries) {
      findings.push_back({.file = below,
                          .what = "the checkpoint of the index does not fit it",
                          .effect = std::string(kMadeAnew)});
    }
    runs.push_back(run);
  }
  co_return all;
}

core::Task<void> CheckPlace(std::string root, Place place, LogIdentity log, const MetaContent& meta, std::vector<Finding>& findings,
                            std::vector<DueRunOverview>& runs) {
  std::vector<DueRunOverview> seen;
  std::vector<Finding> found;
  bool all = co_await CheckOnce(root, place, log, meta, found, seen);
  // A file that is gone was merged into another by a running broker, if the checkpoint has changed as well.
  std::optional<std::string> row;
  if (const std::string* text = RowOf(meta, place); text != nullptr) row = *text;
  for (int i = 0; i < 3 && !all; ++i) {
    std::vector<Finding> said;  // already, of the same file
    const absl::StatusOr<MetaContent> now = co_await ReadMeta(root, core::StrCat("meta-", log.log_number), said);
    const std::string* const newer = now.ok() ? RowOf(*now, place) : nullptr;
    if (newer == nullptr || *newer == row) break;
    row = *newer;
    seen.clear();
    found.clear();
    all = co_await CheckOnce(root, place, log, *now, found, seen);
  }
  std::move(found.begin(), found.end(), std::back_inserter(findings));
  std::move(seen.begin(), seen.end(), std::back_inserter(runs));
}

}  // namespace

core::Task<std::vector<DueRunOverview>> CheckDueRuns(std::string root, LogIdentity log, const MetaContent& meta,
                                                     std::vector<Finding>& findings) {
  std::vector<DueRunOverview> runs;
  co_await CheckPlace(root, {core::StrCat("log-", log.log_number), kDueCheckpointKey}, log, meta, findings, runs);
  co_await CheckPlace(root, {core::StrCat("half-", log.log_number), kHalfCheckpointKey}, log, meta, findings, runs);
  co_return runs;
}

}  // namespace store::tools
