#include "store/tools/verify.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/tools/due_check.h"
#include "store/tools/key_check.h"
#include "store/tools/log_folder.h"
#include "store/tools/log_verifier.h"
#include "store/tools/meta_reader.h"

namespace store::tools {
namespace {

constexpr size_t kManifestBytesMax = 4096;

core::Task<absl::Status> NoteUnknown(std::string directory, const std::set<std::string>& known, VerifyReport& report) {
  CO_ASSIGN_OR_RETURN(std::vector<core::DirectoryEntry> entries, co_await core::fs::List(directory));
  std::sort(entries.begin(), entries.end(),
            [](const core::DirectoryEntry& a, const core::DirectoryEntry& b) { return a.name < b.name; });
  for (const core::DirectoryEntry& entry : entries) {
    if (known.contains(entry.name)) continue;
    report.findings.push_back({.severity = Severity::kNote,
                               .file = entry.name,
                               .what = "unknown file, ignored",
                               .effect = "left alone by the broker"});
  }
  co_return absl::OkStatus();
}

core::Task<MetaContent> VerifyMeta(std::string directory, std::string name, VerifyReport& report) {
  absl::StatusOr<MetaContent> meta = co_await ReadMeta(directory, name, report.findings);
  if (!meta.ok()) {
    const bool missing = absl::IsNotFound(meta.status());
    report.findings.push_back(
        {.file = name + "/meta.log",
         .what = missing ? "the file is missing" : std::string(meta.status().message()),
         .effect = missing ? "the broker would start without topics, groups and offsets of this shard: restore the file"
                           : "not checked"});
    co_return MetaContent();
  }
  report.commits += meta->commits;
  report.bytes += meta->bytes;
  co_return std::move(meta).value();
}

}  // namespace

bool VerifyReport::Damaged() const { return Count(Severity::kDamage) > 0; }

uint64_t VerifyReport::Count(Severity severity) const {
  return static_cast<uint64_t>(
      std::count_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.severity == severity; }));
}

uint64_t VerifyReport::BytesOf(Severity severity) const {
  uint64_t sum = 0;
  for (const Finding& finding : findings) sum += finding.severity == severity ? finding.end - finding.begin : 0;
  return sum;
}

uint64_t VerifyReport::LostRecords() const {
  uint64_t sum = 0;
  for (const Finding& finding : findings) sum += finding.severity == Severity::kDamage ? finding.records : 0;
  return sum;
}

core::Task<absl::StatusOr<ManifestContent>> ReadManifest(std::string directory) {
  const std::string path = directory + "/manifest";
  const absl::StatusOr<std::string> text = co_await core::fs::ReadWhole(path, kManifestBytesMax);
  if (absl::IsNotFound(text.status())) {
    co_return absl::NotFoundError(core::StrCat(directory, " is no RingMQ data folder: it has no file 'manifest'"));
  }
  if (!text.ok()) co_return text.status();
  absl::StatusOr<ManifestContent> content = ParseManifest(*text);
  if (!content.ok()) co_return core::Annotate(content.status(), path);
  co_return content;
}

core::Task<absl::StatusOr<VerifyReport>> VerifyFolder(std::string directory) {
  VerifyReport report;
  absl::StatusOr<ManifestContent> manifest = co_await ReadManifest(directory);
  if (absl::IsDataLoss(manifest.status())) {
    report.findings.push_back(
        {.file = "manifest",
         .what = std::string(manifest.status().message()),
         .effect =
             "the broker refuses to start, and nothing else can be checked without it: restore the file from a copy"});
    co_return report;
  }
  if (!manifest.ok()) co_return manifest.status();
  report.manifest = *manifest;
  std::set<std::string> known = {"manifest", "lock"};
  for (uint32_t i = 0; i < report.manifest.logs; ++i) {
    const std::string meta_name = core::StrCat("meta-", i);
    const std::string log_name = core::StrCat("log-", i);
    known.insert(meta_name);
    known.insert(log_name);
    known.insert(core::StrCat("half-", i));  // due_check.h
    const MetaContent meta = co_await VerifyMeta(directory, meta_name, report);
    const LogIdentity identity{report.manifest.store_id, i};
    absl::StatusOr<std::unique_ptr<LogFolder>> opened =
        co_await LogFolder::Open(directory, log_name, identity, report.findings);
    if (!opened.ok()) {
      if (!absl::IsNotFound(opened.status())) co_return opened.status();
      report.findings.push_back({.file = log_name,
                                 .what = "the log is missing",
                                 .effect = "the broker would start with an empty one: restore the folder"});
      continue;
    }
    LogFolder& folder = **opened;
    if (folder.segments().empty() && folder.mark() > 0) {
      report.findings.push_back(
          {.file = log_name,
           .what = core::StrCat("the log held all up to ", folder.mark(), ", but its segments are gone"),
           .effect = "the broker refuses to start: restore the folder"});
    }
    {
      LogVerifier verifier(folder, meta, report);
      co_await verifier.Run();
    }
    for (const DueRunOverview& run : co_await CheckDueRuns(directory, identity, meta, report.findings)) {
      ++report.due_runs;
      report.bytes += run.bytes_read;
    }
    for (const KeyRunOverview& run : co_await CheckKeyRuns(folder, report.findings)) {
      ++report.key_runs;
      report.bytes += run.bytes_read;
    }
    co_await folder.Close();
  }
  CO_RETURN_IF_ERROR(co_await NoteUnknown(directory, known, report));
  co_return report;
}

}  // namespace store::tools
