#include "store/tools/key_check.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/file.h"
#include "core/strings.h"
#include "store/key_run.h"
#include "store/tools/run_check.h"

namespace store::tools {
namespace {

constexpr size_t kKeyHeaderUsed = 88;
constexpr std::string_view kReadAgain = "costs nothing: the keys are read from the log again";

core::Task<void> CheckFile(core::File& file, LogIdentity log, RunCheck<KeyEntry>& check, KeyRunOverview& run) {
  const std::optional<core::Slice> block = co_await check.ReadHeader(file, run.bytes);
  if (!block.has_value()) co_return;
  const absl::StatusOr<KeyRunHeader> header = ParseKeyRunHeader(block->bytes(), log, run.begin);
  if (!header.ok()) {
    check.Damage(0, kBlock, std::string(header.status().message()));
    co_return;
  }
  run.end = header->stretch.end;
  run.entries = header->entries;
  check.CheckUnused(*block, kKeyHeaderUsed);
  const KeyStretch& stretch = header->stretch;
  uint64_t beside = 0;
  run.bytes_read = kBlock + co_await check.ReadPages(
                                file, run.bytes, KeyPageMark(log, run.begin, run.end), run.entries, [&](const KeyEntry& entry) {
                                  if (entry.record.position < stretch.begin || entry.record.position >= stretch.end)
                                    ++beside;
                                });
  if (check.whole() && beside > 0)
    check.Damage(0, kBlock, core::StrCat(beside, " entries lie outside its part of the log"));
}

}  // namespace

core::Task<std::vector<KeyRunOverview>> CheckKeyRuns(LogFolder& folder, std::vector<Finding>& findings) {
  std::vector<KeyRunOverview> runs;
  absl::StatusOr<std::vector<core::DirectoryEntry>> files = co_await core::fs::List(folder.directory());
  if (!files.ok()) co_return runs;
  std::sort(files->begin(), files->end(),
            [](const core::DirectoryEntry& a, const core::DirectoryEntry& b) { return a.name < b.name; });
  uint64_t covered = 0;
  for (const core::DirectoryEntry& entry : *files) {
    const std::string below = core::StrCat(folder.name(), "/", entry.name);
    if (PositionOfSegmentName(entry.name, kNewKeyRunSuffix).has_value()) {
      RunCheck<KeyEntry>(below, false, kReadAgain, findings)
          .Note("it is not finished: it is being written, or was when the broker ended");
    }
    const std::optional<uint64_t> begin = PositionOfSegmentName(entry.name, kKeyRunSuffix);
    if (!begin.has_value()) continue;
    const std::string path = core::StrCat(folder.directory(), "/", entry.name);
    const absl::StatusOr<core::FileInfo> info = co_await core::fs::Stat(path);
    absl::StatusOr<core::File> opened =
        info.ok() ? co_await core::File::Open(path, {.direct = true}) : absl::StatusOr<core::File>(info.status());
    if (absl::IsNotFound(opened.status())) continue;  // a running broker has just removed it
    // One whose segment has expired, or that was merged into another, goes at the next start.
    const bool counts = folder.segments().Find(*begin) != nullptr && *begin >= covered;
    RunCheck<KeyEntry> check(below, counts, kReadAgain, findings);
    if (!opened.ok()) {
      check.Damage(0, 0, std::string(opened.status().message()));
      continue;
    }
    KeyRunOverview run{.begin = *begin, .bytes = info->bytes};
    core::File file = *std::move(opened);
    co_await CheckFile(file, folder.identity(), check, run);
    (void)co_await file.Close();
    if (!counts && run.entries > 0) check.Note("its part of the log is gone, or is in another file");
    if (counts) covered = std::max(covered, run.end);
    runs.push_back(run);
  }
  co_return runs;
}

}  // namespace store::tools
