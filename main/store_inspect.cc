#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/status.h"
#include "core/strings.h"
#include "main/store_commands.h"
#include "net/json.h"
#include "store/tools/overview.h"

namespace ringmq {
namespace {

using store::MetaTable;
using store::tools::LogOverview;
using store::tools::Overview;
using store::tools::QueueOverview;
using store::tools::SegmentOverview;

std::string StoreIdText(const Overview& overview) {
  return absl::StrFormat("%016x%016x", overview.manifest.store_id.high, overview.manifest.store_id.low);
}

struct GroupOffset {
  std::string group;
  core::QueueKey queue;
  std::string offset;
};

std::vector<GroupOffset> OffsetsOf(const Overview& overview) {
  std::vector<GroupOffset> offsets;
  for (const store::tools::MetaContent& meta : overview.meta) {
    for (const auto& [key, value] : meta.All(MetaTable::kConsumerOffsets)) {
      GroupOffset one;
      one.offset = value;
      if (store::tools::ParseOffsetKey(key, one.group, one.queue)) offsets.push_back(std::move(one));
    }
  }
  std::sort(offsets.begin(), offsets.end(), [](const GroupOffset& a, const GroupOffset& b) {
    return std::tie(a.group, a.queue) < std::tie(b.group, b.queue);
  });
  return offsets;
}

const store::tools::MetaContent::Table& TableOf(const Overview& overview, MetaTable table) {
  return overview.meta.front().All(table);
}

void PrintLog(const LogOverview& log) {
  std::printf("log %u: epoch %u, flushed up to %lu, %s\n", log.number, log.epoch, log.mark,
              log.closed ? "closed in order" : "not closed: a broker has it, or died");
  for (const SegmentOverview& segment : log.segments) {
    std::printf("  segment %020lu to %lu of %s, %s, %s to %s\n", segment.position, segment.end,
                HumanBytes(segment.bytes).c_str(), segment.sealed ? "sealed" : "open",
                TimeText(segment.time_min).c_str(), TimeText(segment.time_max).c_str());
  }
  for (const store::tools::DueRunOverview& run : log.due_runs) {
    std::printf("  waiting messages: file %s/%020lu.due of %s, %s entries, %s of them done with%s\n", run.folder.c_str(), run.number,
                HumanBytes(run.bytes).c_str(), Grouped(run.entries).c_str(), Grouped(run.done).c_str(),
                run.named ? "" : "; of no use, goes at the next start");
  }
  for (const store::tools::KeyRunOverview& run : log.key_runs) {
    std::printf("  keys of %020lu to %lu: file of %s, %s entries\n", run.begin, run.end, HumanBytes(run.bytes).c_str(), Grouped(run.entries).c_str());
  }
}

void PrintText(const std::string& directory, const Overview& overview) {
  std::printf("%s: store %s, %u logs, segments of %s\n", directory.c_str(), StoreIdText(overview).c_str(),
              overview.manifest.logs, HumanBytes(overview.manifest.segment_bytes).c_str());
  std::printf("disk: %s in segments, %s in indexes, %s in indexes of waiting messages, %s in indexes of keys, %s in metadata\n",
              HumanBytes(overview.log_bytes).c_str(), HumanBytes(overview.index_bytes).c_str(),
              HumanBytes(overview.due_bytes).c_str(), HumanBytes(overview.key_bytes).c_str(), HumanBytes(overview.meta_bytes).c_str());
  if (overview.damages > 0) {
    std::printf("DAMAGE was met %s times: see ringmq store verify %s\n", Grouped(overview.damages).c_str(),
                directory.c_str());
  }
  for (const LogOverview& log : overview.logs) PrintLog(log);
  std::printf("topics: %s\n", Grouped(TableOf(overview, MetaTable::kTopics).size()).c_str());
  for (const auto& [topic, config] : TableOf(overview, MetaTable::kTopics)) std::printf("  %s\n", topic.c_str());
  std::printf("queues with messages or a past: %s\n", Grouped(overview.queues.size()).c_str());
  for (const auto& [key, queue] : overview.queues) {
    std::printf("  %s/%d in log %u: %ld to %ld, %s messages, %s to %s\n", key.topic.c_str(), key.queue_id, queue.log,
                queue.min, queue.max, Grouped(queue.messages).c_str(), TimeText(queue.time_min).c_str(),
                TimeText(queue.time_max).c_str());
  }
  std::printf("groups: %s\n", Grouped(TableOf(overview, MetaTable::kGroups).size()).c_str());
  for (const auto& [group, config] : TableOf(overview, MetaTable::kGroups)) std::printf("  %s\n", group.c_str());
  const std::vector<GroupOffset> offsets = OffsetsOf(overview);
  std::printf("consumer offsets: %s\n", Grouped(offsets.size()).c_str());
  for (const GroupOffset& one : offsets) {
    std::printf("  %s %s/%d %s\n", one.group.c_str(), one.queue.topic.c_str(), one.queue.queue_id, one.offset.c_str());
  }
}

void WriteLog(const LogOverview& log, net::JsonWriter& json) {
  json.BeginObject()
      .Member("log", log.number)
      .Member("epoch", log.epoch)
      .Member("flushed", static_cast<int64_t>(log.mark))
      .Member("closed", log.closed);
  json.Key("segments").BeginArray();
  for (const SegmentOverview& segment : log.segments) {
    json.BeginObject()
        .Member("position", static_cast<int64_t>(segment.position))
        .Member("end", static_cast<int64_t>(segment.end))
        .Member("bytes", static_cast<int64_t>(segment.bytes))
        .Member("sealed", segment.sealed)
        .Member("firstStoreTime", segment.time_min)
        .Member("lastStoreTime", segment.time_max)
        .EndObject();
  }
  json.EndArray().Key("waitingIndexFiles").BeginArray();
  for (const store::tools::DueRunOverview& run : log.due_runs) {
    json.BeginObject()
        .Member("folder", run.folder)
        .Member("number", static_cast<int64_t>(run.number))
        .Member("bytes", static_cast<int64_t>(run.bytes))
        .Member("entries", static_cast<int64_t>(run.entries))
        .Member("done", static_cast<int64_t>(run.done))
        .Member("inUse", run.named)
        .EndObject();
  }
  json.EndArray().Key("keyIndexFiles").BeginArray();
  for (const store::tools::KeyRunOverview& run : log.key_runs) {
    json.BeginObject()
        .Member("begin", static_cast<int64_t>(run.begin))
        .Member("end", static_cast<int64_t>(run.end))
        .Member("bytes", static_cast<int64_t>(run.bytes))
        .Member("entries", static_cast<int64_t>(run.entries))
        .EndObject();
  }
  json.EndArray().EndObject();
}

void PrintJson(const Overview& overview) {
  net::JsonWriter json;
  json.BeginObject()
      .Member("storeId", StoreIdText(overview))
      .Member("segmentBytes", static_cast<int64_t>(overview.manifest.segment_bytes))
      .Member("logBytes", static_cast<int64_t>(overview.log_bytes))
      .Member("indexBytes", static_cast<int64_t>(overview.index_bytes))
      .Member("waitingIndexBytes", static_cast<int64_t>(overview.due_bytes))
      .Member("keyIndexBytes", static_cast<int64_t>(overview.key_bytes))
      .Member("metadataBytes", static_cast<int64_t>(overview.meta_bytes))
      .Member("damages", static_cast<int64_t>(overview.damages));
  json.Key("logs").BeginArray();
  for (const LogOverview& log : overview.logs) WriteLog(log, json);
  json.EndArray().Key("topics").BeginObject();
  for (const auto& [topic, config] : TableOf(overview, MetaTable::kTopics)) json.Key(topic).Raw(config);
  json.EndObject().Key("queues").BeginArray();
  for (const auto& [key, queue] : overview.queues) {
    json.BeginObject()
        .Member("topic", key.topic)
        .Member("queueId", key.queue_id)
        .Member("log", queue.log)
        .Member("min", queue.min)
        .Member("max", queue.max)
        .Member("messages", static_cast<int64_t>(queue.messages))
        .Member("firstStoreTime", queue.time_min)
        .Member("lastStoreTime", queue.time_max)
        .EndObject();
  }
  json.EndArray().Key("groups").BeginObject();
  for (const auto& [group, config] : TableOf(overview, MetaTable::kGroups)) json.Key(group).Raw(config);
  json.EndObject().Key("offsets").BeginArray();
  for (const GroupOffset& one : OffsetsOf(overview)) {
    json.BeginObject()
        .Member("group", one.group)
        .Member("topic", one.queue.topic)
        .Member("queueId", one.queue.queue_id)
        .Key("offset")
        .Raw(one.offset)
        .EndObject();
  }
  json.EndArray().EndObject();
  std::printf("%s\n", json.text().c_str());
}

core::Task<absl::Status> InspectMain(const StoreInspectOptions& options) {
  CO_ASSIGN_OR_RETURN(const Overview overview, co_await store::tools::InspectFolder(options.directory));
  if (options.json) {
    PrintJson(overview);
  } else {
    PrintText(options.directory, overview);
  }
  co_return absl::OkStatus();
}

}  // namespace

int RunStoreInspect(const StoreInspectOptions& options) {
  const int exit_code = 0;
  return RunTool("store inspect", [&] { return InspectMain(options); }, exit_code);
}

}  // namespace ringmq
