#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/status.h"
#include "core/strings.h"
#include "main/store_commands.h"
#include "net/json.h"
#include "store/tools/verify.h"

namespace ringmq {
namespace {

using store::tools::Finding;
using store::tools::LostRange;
using store::tools::Severity;
using store::tools::VerifyReport;

/// A line names so many ranges; --json has all.
constexpr size_t kRangesMax = 12;

const char* NameOf(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kTornTail:
      return "torn tail";
    case Severity::kDamage:
      break;
  }
  return "DAMAGE";
}

std::string QueueText(const LostRange& lost) {
  if (lost.topic.empty()) return absl::StrFormat("queue with hash %016x", lost.queue_hash);
  return core::StrCat(lost.topic, "/", lost.queue_id);
}

std::string LostText(const LostRange& lost) {
  if (lost.end == lost.first + 1) return core::StrCat(QueueText(lost), " offset ", lost.first);
  return core::StrCat(QueueText(lost), " offsets ", lost.first, " to ", lost.end - 1);
}

std::string Line(const Finding& finding) {
  std::string line = core::StrCat(NameOf(finding.severity), " ", finding.file);
  if (finding.end > finding.begin) absl::StrAppend(&line, " bytes ", finding.begin, " to ", finding.end - 1);
  absl::StrAppend(&line, ": ", finding.what);
  if (finding.records > 0) {
    absl::StrAppend(&line, "; costs ", finding.records, finding.records == 1 ? " message" : " messages");
    for (size_t i = 0; i < finding.lost.size() && i < kRangesMax; ++i) {
      absl::StrAppend(&line, i == 0 ? " (" : ", ", LostText(finding.lost[i]));
    }
    if (finding.lost.size() > kRangesMax)
      absl::StrAppend(&line, " and ", finding.lost.size() - kRangesMax, " more ranges");
    if (!finding.lost.empty()) line += ")";
  }
  if (!finding.effect.empty()) absl::StrAppend(&line, "; ", finding.effect);
  return line;
}

void PrintText(const std::string& directory, const VerifyReport& report) {
  for (const Finding& finding : report.findings) std::printf("%s\n", Line(finding).c_str());
  std::printf(
      "%s: store %016lx%016lx, %u logs, %s segments, %s indexes, %s files of waiting messages, %s of keys, %s batches, %s messages, %s metadata commits; %s "
      "checked\n",
      directory.c_str(), report.manifest.store_id.high, report.manifest.store_id.low, report.manifest.logs,
      Grouped(report.segments).c_str(), Grouped(report.indexes).c_str(), Grouped(report.due_runs).c_str(),
      Grouped(report.key_runs).c_str(),
      Grouped(report.batches).c_str(),
      Grouped(report.records).c_str(), Grouped(report.commits).c_str(), HumanBytes(report.bytes).c_str());
  if (report.moving_logs > 0) {
    std::printf("a broker is writing to %s of the logs: checked up to where they were\n",
                Grouped(report.moving_logs).c_str());
  }
  const auto sum = [&](Severity severity, const char* name) {
    return core::StrCat(Grouped(report.Count(severity)), name, " (", HumanBytes(report.BytesOf(severity)), ")");
  };
  std::printf("%s: %s, %s messages lost; %s, %s notes\n", report.Damaged() ? "DAMAGED" : "intact",
              sum(Severity::kDamage, " damages").c_str(), Grouped(report.LostRecords()).c_str(),
              sum(Severity::kTornTail, " torn tails").c_str(), Grouped(report.Count(Severity::kNote)).c_str());
}

void WriteFinding(const Finding& finding, net::JsonWriter& json) {
  json.BeginObject()
      .Member("severity", finding.severity == Severity::kDamage     ? "damage"
                          : finding.severity == Severity::kTornTail ? "tornTail"
                                                                    : "note")
      .Member("file", finding.file)
      .Member("begin", static_cast<int64_t>(finding.begin))
      .Member("end", static_cast<int64_t>(finding.end))
      .Member("what", finding.what)
      .Member("messages", static_cast<int64_t>(finding.records))
      .Member("effect", finding.effect);
  json.Key("lost").BeginArray();
  for (const LostRange& lost : finding.lost) {
    json.BeginObject();
    if (lost.topic.empty()) {
      json.Member("queueHash", absl::StrFormat("%016x", lost.queue_hash));
    } else {
      json.Member("topic", lost.topic).Member("queueId", lost.queue_id);
    }
    json.Member("first", lost.first).Member("end", lost.end).EndObject();
  }
  json.EndArray().EndObject();
}

void PrintJson(const VerifyReport& report) {
  net::JsonWriter json;
  json.BeginObject()
      .Member("intact", !report.Damaged())
      .Member("storeId", absl::StrFormat("%016x%016x", report.manifest.store_id.high, report.manifest.store_id.low))
      .Member("logs", report.manifest.logs)
      .Member("segments", static_cast<int64_t>(report.segments))
      .Member("indexes", static_cast<int64_t>(report.indexes))
      .Member("waitingIndexFiles", static_cast<int64_t>(report.due_runs))
      .Member("keyIndexFiles", static_cast<int64_t>(report.key_runs))
      .Member("batches", static_cast<int64_t>(report.batches))
      .Member("messages", static_cast<int64_t>(report.records))
      .Member("metadataCommits", static_cast<int64_t>(report.commits))
      .Member("bytesChecked", static_cast<int64_t>(report.bytes))
      .Member("movingLogs", static_cast<int64_t>(report.moving_logs))
      .Member("damages", static_cast<int64_t>(report.Count(Severity::kDamage)))
      .Member("damagedBytes", static_cast<int64_t>(report.BytesOf(Severity::kDamage)))
      .Member("messagesLost", static_cast<int64_t>(report.LostRecords()))
      .Member("tornTails", static_cast<int64_t>(report.Count(Severity::kTornTail)))
      .Member("tornBytes", static_cast<int64_t>(report.BytesOf(Severity::kTornTail)));
  json.Key("findings").BeginArray();
  for (const Finding& finding : report.findings) WriteFinding(finding, json);
  json.EndArray().EndObject();
  std::printf("%s\n", json.text().c_str());
}

core::Task<absl::Status> VerifyMain(const StoreVerifyOptions& options, int& exit_code) {
  CO_ASSIGN_OR_RETURN(const VerifyReport report, co_await store::tools::VerifyFolder(options.directory));
  exit_code = report.Damaged() ? 1 : 0;
  if (options.json) {
    PrintJson(report);
  } else {
    PrintText(options.directory, report);
  }
  co_return absl::OkStatus();
}

}  // namespace

int RunStoreVerify(const StoreVerifyOptions& options) {
  int exit_code = 0;
  return RunTool("store verify", [&] { return VerifyMain(options, exit_code); }, exit_code);
}

}  // namespace ringmq
