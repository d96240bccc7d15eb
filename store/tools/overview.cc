#include "store/tools/overview.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/record.h"
#include "store/sealed_index.h"
#include "store/tools/log_folder.h"
#include "store/tools/log_walk.h"
#include "store/tools/verify.h"

namespace store::tools {
namespace {

template <typename T>
bool ParseWhole(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

uint64_t DroppedBelow(const MetaContent& meta, std::string_view topic) {
  const MetaContent::Table& dropped = meta.All(MetaTable::kDroppedTopics);
  const auto found = dropped.find(topic);
  uint64_t position = 0;
  if (found != dropped.end()) (void)ParseWhole(found->second, position);
  return position;
}

void NoteTimes(core::WallMillis from, core::WallMillis to, core::WallMillis& time_min, core::WallMillis& time_max) {
  time_min = time_min == 0 ? from : std::min(time_min, from);
  time_max = std::max(time_max, to);
}

/// Consecutive messages [first, first + count) of a queue.
void AddRun(QueueOverview& queue, uint32_t log, int64_t first, int64_t count, core::WallMillis from,
            core::WallMillis to) {
  queue.log = log;
  queue.min = queue.messages == 0 ? first : std::min(queue.min, first);
  queue.max = std::max(queue.max, first + count);
  queue.messages += static_cast<uint64_t>(count);
  NoteTimes(from, to, queue.time_min, queue.time_max);
}

core::Task<void> AddSealed(LogFolder& folder, const MetaContent& meta, const Segment& segment, Overview& overview) {
  const absl::StatusOr<std::vector<SealedRow>> rows =
      co_await ReadSealedRows(folder.directory(), folder.identity(), segment);
  if (!rows.ok()) {
    ++overview.damages;
    co_return;
  }
  for (const SealedRow& row : *rows) {
    if (row.position < DroppedBelow(meta, row.topic)) continue;
    AddRun(overview.queues[{row.topic, row.queue_id}], folder.identity().log_number, row.first, row.count, row.time_min,
           row.time_max);
  }
}

void AddBatch(const LogFolder& folder, const MetaContent& meta, const LogStep& step, SegmentOverview& segment,
              Overview& overview) {
  BatchView(step.header, step.bytes)
      .ForEach(
          [&](const TableEntry& row, std::span<const std::byte> bytes, size_t offset) {
            const absl::StatusOr<RecordView> record = ParseRecord(bytes);
            if (!record.ok() || step.begin + offset < DroppedBelow(meta, record->topic)) return;
            QueueOverview& queue = overview.queues[{std::string(record->topic), record->queue_id}];
            AddRun(queue, folder.identity().log_number, row.queue_offset, 1, record->store_timestamp,
                   record->store_timestamp);
            queue.bytes += row.bytes;
          },
          [&](const TableEntry&) { ++overview.damages; });
  if (step.header.record_count > 0) {
    NoteTimes(step.header.first_store_time, step.header.last_store_time, segment.time_min, segment.time_max);
  }
  segment.end = step.end;
}

/// What was given out before and is gone still counts: the next offset lies behind it.
void AddFloors(const MetaContent& meta, uint32_t log, Overview& overview) {
  for (const auto& [key, value] : meta.All(MetaTable::kQueueFloors)) {
    const size_t zero = key.find('\0');
    core::QueueKey queue{key.substr(0, zero), 0};
    int64_t floor = 0;
    if (zero == std::string::npos || !ParseWhole(std::string_view(key).substr(zero + 1), queue.queue_id) ||
        !ParseWhole(value, floor)) {
      continue;
    }
    QueueOverview& entry = overview.queues[queue];
    entry.log = log;
    if (entry.messages == 0) entry.min = std::max(entry.min, floor);
    entry.max = std::max(entry.max, floor);
  }
}

core::Task<absl::Status> AddLog(std::string directory, uint32_t number, Overview& overview) {
  std::vector<Finding> findings;
  absl::StatusOr<MetaContent> meta = co_await ReadMeta(directory, core::StrCat("meta-", number), findings);
  if (!meta.ok() && !absl::IsNotFound(meta.status())) co_return meta.status();
  overview.meta.push_back(meta.ok() ? *std::move(meta) : MetaContent());
  const MetaContent& tables = overview.meta.back();
  overview.meta_bytes += tables.bytes;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<LogFolder> opened,
                      co_await LogFolder::Open(directory, core::StrCat("log-", number),
                                               {overview.manifest.store_id, number}, findings));
  LogFolder& folder = *opened;
  LogOverview log{.number = number,
                  .mark = folder.mark(),
                  .closed = folder.clean(),
                  .epoch = 0,
                  .segments = {},
                  .due_runs = {},
                  .key_runs = {}};
  std::map<uint64_t, size_t> place;
  for (size_t i = 0; i < folder.segments().size(); ++i) {
    const Segment& segment = folder.segments().at(i);
    place[segment.position] = i;
    log.segments.push_back({.position = segment.position,
                            .end = segment.sealed ? segment.end : segment.data_begin(),
                            .bytes = segment.bytes,
                            .sealed = segment.sealed,
                            .time_min = segment.time_min,
                            .time_max = segment.time_max});
    overview.log_bytes += segment.bytes;
    if (!segment.sealed) continue;
    log.epoch = std::max(log.epoch, segment.last_epoch);
    const absl::StatusOr<core::FileInfo> index =
        co_await core::fs::Stat(SegmentIndexPath(folder.directory(), segment.position));
    if (index.ok()) overview.index_bytes += index->bytes;
    co_await AddSealed(folder, tables, segment, overview);
  }
  LogWalk walk(folder);
  walk.SkipSealed();
  for (;;) {
    const LogStep step = co_await walk.Next();
    if (step.kind == LogStep::Kind::kEnd) break;
    if (step.kind == LogStep::Kind::kDamage) ++overview.damages;
    if (step.kind != LogStep::Kind::kBatch || step.segment->sealed) continue;
    AddBatch(folder, tables, step, log.segments[place[step.segment->position]], overview);
    log.epoch = std::max(log.epoch, step.header.epoch);
  }
  log.mark = std::max(log.mark, walk.mark());
  log.due_runs = co_await CheckDueRuns(directory, folder.identity(), tables, findings);
  for (const DueRunOverview& run : log.due_runs) overview.due_bytes += run.bytes;
  log.key_runs = co_await CheckKeyRuns(folder, findings);
  for (const KeyRunOverview& run : log.key_runs) overview.key_bytes += run.bytes;
  AddFloors(tables, number, overview);
  overview.logs.push_back(std::move(log));
  for (const Finding& finding : findings) overview.damages += finding.severity == Severity::kDamage ? 1 : 0;
  co_await folder.Close();
  co_return absl::OkStatus();
}

}  // namespace

bool ParseOffsetKey(std::string_view key, std::string& group, core::QueueKey& queue) {
  const size_t first = key.find('\0');
  if (first == std::string_view::npos) return false;
  const size_t second = key.find('\0', first + 1);
  if (second == std::string_view::npos || !ParseWhole(key.substr(second + 1), queue.queue_id)) return false;
  group = key.substr(0, first);
  queue.topic = key.substr(first + 1, second - first - 1);
  return !group.empty() && !queue.topic.empty();
}

core::Task<absl::StatusOr<Overview>> InspectFolder(std::string directory) {
  Overview overview;
  CO_ASSIGN_OR_RETURN(overview.manifest, co_await ReadManifest(directory));
  for (uint32_t i = 0; i < overview.manifest.logs; ++i) CO_RETURN_IF_ERROR(co_await AddLog(directory, i, overview));
  co_return overview;
}

}  // namespace store::tools
