#include "broker/queue_entries.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/catalog.h"
#include "broker/consumer_groups.h"
#include "broker/sql/filter.h"
#include "broker/subscription_data.h"
#include "core/strings.h"
#include "net/json.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace broker {
namespace {

using net::ResponseCode;

constexpr int64_t kEntriesMax = 1024;
constexpr size_t kReadAtOnce = size_t{256} << 10;  // bytes of one read
constexpr size_t kReadMax = size_t{32} << 20;      // and of them all: the index is read with its messages

struct Entry {
  int64_t offset = 0;
  int64_t position = 0;
  uint32_t bytes = 0;
  int64_t tags_code = 0;
  bool passes = false;
};

struct FoundEntries {
  int64_t min = 0;
  int64_t max = 0;
  std::vector<Entry> entries;
  int64_t next = 0;  // the first one that was not looked at
};

using Subscription = std::shared_ptr<const SubscriptionData>;

bool Passes(const SubscriptionData* subscription, const Entry& entry, std::string_view properties) {
  if (subscription == nullptr) return false;
  if (!subscription->is_tag()) return subscription->sql != nullptr && subscription->sql->Matches(properties);
  const std::vector<int32_t>& codes = subscription->codes;
  return codes.empty() || std::any_of(codes.begin(), codes.end(), [&](int32_t code) { return code == entry.tags_code; });
}

core::Task<FoundEntries> FindHere(BrokerShard& here, core::QueueKey queue, int64_t index, int64_t count, Subscription subscription) {
  FoundEntries found;
  found.min = here.store().MinOffset(queue).value();
  found.max = here.store().MaxOffset(queue).value();
  found.next = index;
  if (index < found.min || index >= found.max) co_return found;
  const int64_t end = std::min(found.max, index + count);
  size_t read = 0;
  while (found.next < end && read < kReadMax) {
    store::FetchRequest request;
    request.queue = queue;
    request.from = core::LogicalOffset(found.next);
    request.messages_max = static_cast<int32_t>(std::min<int64_t>(32, end - found.next));
    request.bytes_max = kReadAtOnce;
    const store::FetchResult result = co_await here.store().Fetch(std::move(request));
    for (const core::Slice& part : result.parts) {
      for (std::string_view left = part.text(); !left.empty();) {
        const absl::StatusOr<store::RecordView> record = store::ParseRecord(std::as_bytes(std::span(left.data(), left.size())));
        if (!record.ok()) break;
        Entry entry;
        entry.offset = record->queue_offset.value();
        entry.position = record->position.value();
        entry.bytes = record->bytes;
        entry.tags_code = store::TagsCodeOf(record->properties);
        entry.passes = Passes(subscription.get(), entry, record->properties);
        if (entry.offset < end) found.entries.push_back(entry);
        left.remove_prefix(record->bytes);
      }
    }
    read += result.bytes;
    const int64_t next = result.next.value();
    if (next <= found.next) break;  // damaged, and nothing behind it
    found.next = std::min(next, end);
  }
  co_return found;
}

/// What RocketMQ prints of the filter: of tags it keeps none.
std::string FilterText(const SubscriptionData& subscription) {
  return subscription.is_tag() ? "null" : core::StrCat(subscription.expression_type, ": ", subscription.expression);
}

void WriteEntry(const Entry& entry, net::JsonWriter& json) {
  json.BeginObject().Member("eval", entry.passes).Member("physicOffset", entry.position);
  json.Member("physicSize", entry.bytes).Member("tagsCode", entry.tags_code).EndObject();
}

}  // namespace

core::Task<net::Reply> QueueEntriesHandlers::Query(net::RequestContext, net::QueryConsumeQueueRequest request) {
  const std::string topic(request.topic);
  const std::string group(request.consumer_group.value_or(""));
  Subscription subscription;
  if (!group.empty()) {
    const PullSubscription of_group = co_await shard_.consumer_groups().FindOfGroup(group, topic);
    subscription = of_group.subscription;
  }
  const TopicConfig* config = shard_.catalog().FindTopic(topic);
  if (config == nullptr || request.queue_id < 0 || request.queue_id >= config->queues()) {
    co_return net::Reply(ResponseCode::kSystemError, core::StrCat(request.queue_id, "@", topic, " is not exist!"));
  }
  const int64_t count = std::clamp<int64_t>(request.count, 0, kEntriesMax);
  const FoundEntries found = co_await shard_.peers().On(
      shard_.placement().OwnerOf(topic, request.queue_id),
      [](BrokerShard& owner, core::QueueKey queue, int64_t index, int64_t most, Subscription by) {
        return FindHere(owner, std::move(queue), index, most, std::move(by));
      },
      core::QueueKey{topic, request.queue_id}, request.index, count, subscription);

  const bool there = request.index >= found.min && request.index < found.max;
  net::JsonWriter json;
  json.BeginObject();
  if (!group.empty()) {
    json.Member("filterData", subscription == nullptr ? core::StrCat(group, "@", topic, " is not online!") : FilterText(*subscription));
  }
  json.Member("maxQueueIndex", found.max).Member("minQueueIndex", found.min);
  if (there) {
    json.Key("queueData").BeginArray();
    for (const Entry& entry : found.entries) WriteEntry(entry, json);
    json.EndArray();
  }
  if (subscription != nullptr) {
    json.Key("subscriptionData");
    subscription->WriteJson(json);
  }
  json.EndObject();
  net::Reply reply;
  if (!there) {
    reply = net::Reply(ResponseCode::kSuccess, core::StrCat("Index ", request.index, " of ", request.queue_id, "@", topic, " is not exist!"));
  } else if (found.next < found.max && found.next - request.index < request.count) {
    reply = net::Reply(ResponseCode::kSuccess, core::StrCat("there is more: ask again from index ", found.next, " on"));
  }
  reply.SetBody(json.Take());
  co_return reply;
}

void RegisterQueueEntriesHandlers(BrokerShard& shard) {
  QueueEntriesHandlers& handlers = shard.Adopt(std::make_unique<QueueEntriesHandlers>(shard));
  shard.On(handlers, &QueueEntriesHandlers::Query);
}

}  // namespace broker
