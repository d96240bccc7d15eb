#include "store/tools/due_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/due_row.h"
#include "store/due_run.h"
#include "store/segment.h"
#include "store/tools/run_check.h"

namespace store::tools {
namespace {

constexpr size_t kHeaderUsed = 72;
constexpr std::string_view kMadeAnew =
    "costs nothing: the index of waiting messages is made anew from the log, which takes as long as reading the log";

core::Task<void> CheckFile(core::File& file, DueRunName name, RunCheck<DueEntry>& check, DueRunOverview& run) {
  const std::optional<core::Slice> block = co_await check.ReadHeader(file, run.bytes);
  if (!block.has_value()) co_return;
  const absl::StatusOr<DueRunHeader> header = ParseDueRunHeader(block->bytes(), name);
  if (!header.ok()) {
    check.Damage(0, kBlock, std::string(header.status().message()));
    co_return;
  }
  run.entries = header->entries;
  check.CheckUnused(*block, kHeaderUsed);
  uint64_t taken_back = 0;
  uint64_t lowest = UINT64_MAX;
  run.bytes_read = kBlock + co_await check.ReadPages(file, run.bytes, name.PageMark(), run.entries,
                                                     [&](const DueEntry& entry) {
                                                       if (entry.taken_back()) ++taken_back;
                                                       lowest = std::min(lowest, entry.position());
                                                     });
  if (check.whole() && (taken_back != header->taken_back || lowest != header->lowest_position))
    check.Damage(0, kBlock, "the header does not fit the entries");
}

/// Where an index is, and which.
struct Place {
  std::string folder;
  DueKind kind;
};

const std::string* RowOf(const MetaContent& meta, const Place& place) {
  const MetaContent::Table& table = meta.All(MetaTable::kDue);
  const auto found = table.find(DueCheckpointKey(place.kind));
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
    findings.push_back(
        {.file = core::StrCat("meta-", log, "/meta.log"),
         .what = core::StrCat("of the index of waiting messages ", core::ToStd(checkpoint.status().message())),
         .effect = std::string(kMadeAnew)});
    return named;
  }
  for (const DueCheckpoint::Run& run : checkpoint->runs) named[run.number] = run;
  return named;
}

/// Looks once at all of them. False: a file that is named was not there.
core::Task<bool> CheckOnce(std::string root, Place place, LogIdentity log, const MetaContent& meta,
                           std::vector<Finding>& findings, std::vector<DueRunOverview>& runs) {
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
    RunCheck<DueEntry> check(below, run.named, kMadeAnew, findings);
    co_await CheckFile(file, {log, place.kind, number}, check, run);
    (void)co_await file.Close();
    if (run.named && run.entries > 0 && run.done > run.entries) {
      findings.push_back(
          {.file = below, .what = "the checkpoint of the index does not fit it", .effect = std::string(kMadeAnew)});
    }
    runs.push_back(run);
  }
  co_return all;
}

core::Task<void> CheckPlace(std::string root, Place place, LogIdentity log, const MetaContent& meta,
                            std::vector<Finding>& findings, std::vector<DueRunOverview>& runs) {
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
  co_await CheckPlace(root, {core::StrCat("log-", log.log_number), DueKind::kLater}, log, meta, findings, runs);
  co_await CheckPlace(root, {core::StrCat("half-", log.log_number), DueKind::kHalf}, log, meta, findings, runs);
  co_return runs;
}

}  // namespace store::tools
