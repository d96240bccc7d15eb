#include "broker/group_offsets.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "broker/catalog.h"
#include "broker/catalog_writer.h"
#include "broker/consumer_groups.h"
#include "broker/data_version.h"
#include "broker/gather.h"
#include "broker/json_reply.h"
#include "broker/offset_table.h"
#include "broker/wire_status.h"
#include "core/strings.h"
#include "net/json.h"

namespace broker {
namespace {

using net::ResponseCode;
using Entries = std::vector<OffsetTable::Entry>;

net::Reply NoGroup(const std::string& group) {
  return {ResponseCode::kSubscriptionGroupNotExist, core::StrCat("Group ", group, " does not exist")};
}

/// What the groups have committed of a topic here; each with the beginning of its queue.
struct Place {
  OffsetTable::Entry entry;
  core::LogicalOffset min;
};

std::vector<Place> PlacesHere(BrokerShard& here, const std::string& topic) {
  std::vector<Place> places;
  for (OffsetTable::Entry& entry : here.offsets().OfTopic(topic)) {
    const core::LogicalOffset min = here.store().MinOffset(entry.queue);
    places.push_back({std::move(entry), min});
  }
  return places;
}

}  // namespace

core::Task<net::Reply> GroupOffsetHandlers::Clone(net::RequestContext, net::CloneGroupOffsetRequest request) {
  const std::string source(request.source_group);
  const std::string target(request.target_group);
  const std::string wanted(request.topic.value_or(""));
  if (shard_.catalog().FindGroup(source) == nullptr) co_return NoGroup(source);
  if (!wanted.empty() && shard_.catalog().FindTopic(wanted) == nullptr) {
    co_return net::Reply(ResponseCode::kTopicNotExist, core::StrCat("Topic ", wanted, " does not exist"));
  }
  const absl::StatusOr<GroupConfig> made = co_await shard_.catalog_writer().EnsureGroup(target);
  if (!made.ok()) co_return ReplyFromStatus(made.status(), ResponseCode::kSubscriptionGroupNotExist);

  std::set<std::string> topics;
  if (!wanted.empty()) {
    topics.insert(wanted);
  } else {
    const std::vector<Entries> by_shard = co_await OnEveryShard(
        shard_.peers(), [](BrokerShard& there, std::string name) { return there.offsets().OfGroup(name); }, source);
    for (const Entries& entries : by_shard) {
      for (const OffsetTable::Entry& entry : entries) topics.insert(entry.queue.topic);
    }
  }
  const std::optional<GroupView> online = co_await shard_.consumer_groups().View(source);
  std::erase_if(topics, [&](const std::string& topic) {
    if (shard_.catalog().FindTopic(topic) == nullptr) return true;  // deleted
    // What a group that is online has unsubscribed from is not where it is any more.
    return !request.offline && online.has_value() && !online->subscriptions.empty() && !online->subscriptions.contains(topic);
  });
  const std::vector<absl::Status> flushed = co_await OnEveryShard(
      shard_.peers(),
      [](BrokerShard& there, std::string from, std::string to, std::set<std::string> of) {
        for (const std::string& topic : of) there.offsets().Clone(from, to, topic);
        return there.offsets().Flush();
      },
      source, target, std::move(topics));
  for (const absl::Status& status : flushed) {
    if (!status.ok()) co_return ReplyFromStatus(status);
  }
  co_return net::Reply();
}

core::Task<net::Reply> GroupOffsetHandlers::Correction(net::RequestContext, net::QueryCorrectionOffsetRequest request) {
  std::set<std::string> without;
  for (const absl::string_view group : absl::StrSplit(core::ToAbsl(request.filter_groups.value_or("")), ',', absl::SkipEmpty())) {
    without.emplace(group);
  }
  const std::string compared(request.compare_group);
  const std::vector<std::vector<Place>> by_shard = co_await OnEveryShard(
      shard_.peers(), [](BrokerShard& there, std::string topic) { return PlacesHere(there, topic); }, std::string(request.topic));
  std::map<int32_t, int64_t> lowest;
  std::map<int32_t, int64_t> compare;
  for (const std::vector<Place>& places : by_shard) {
    for (const Place& place : places) {
      const int32_t queue = place.entry.queue.queue_id;
      const int64_t offset = place.entry.offset.value();
      if (place.entry.group == compared) compare[queue] = offset;
      if (without.contains(place.entry.group) || place.entry.offset < place.min) continue;
      const auto [at, first] = lowest.emplace(queue, offset);
      if (!first) at->second = std::min(at->second, offset);
    }
  }
  net::JsonWriter json;
  json.BeginObject().Key("correctionOffsets").BeginObject();
  for (const auto& [queue, offset] : lowest) {
    const auto other = compare.find(queue);
    json.NumberKey(queue).Int(other != compare.end() && offset > other->second ? INT64_MAX : offset);
  }
  json.EndObject().EndObject();
  co_return JsonReply(json);
}

core::Task<net::Reply> GroupOffsetHandlers::All(net::RequestContext, net::GetAllConsumerOffsetRequest) {
  const std::vector<Entries> by_shard =
      co_await OnEveryShard(shard_.peers(), [](BrokerShard& there) { return there.offsets().All(); });
  std::map<std::string, std::map<int32_t, int64_t>> table;
  for (const Entries& entries : by_shard) {
    for (const OffsetTable::Entry& entry : entries) {
      table[core::StrCat(entry.queue.topic, "@", entry.group)][entry.queue.queue_id] = entry.offset.value();
    }
  }
  net::JsonWriter json;
  json.BeginObject().Key("dataVersion");
  DataVersion{}.WriteJson(json);  // offsets have no version here
  json.Key("offsetTable").BeginObject();
  for (const auto& [name, queues] : table) {
    json.Key(name).BeginObject();
    for (const auto& [queue, offset] : queues) json.NumberKey(queue).Int(offset);
    json.EndObject();
  }
  json.EndObject().EndObject();
  co_return JsonReply(json);
}

void RegisterGroupOffsetHandlers(BrokerShard& shard) {
  GroupOffsetHandlers& handlers = shard.Adopt(std::make_unique<GroupOffsetHandlers>(shard));
  shard.On(handlers, &GroupOffsetHandlers::Clone);
  shard.On(handlers, &GroupOffsetHandlers::Correction);
  shard.On(handlers, &GroupOffsetHandlers::All);
}

}  // namespace broker
