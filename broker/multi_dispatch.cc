#include "broker/multi_dispatch.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <utility>

#include "broker/broker_stats.h"
#include "broker/lmq.h"
#include "broker/message_properties.h"
#include "broker/pop/records.h"
#include "broker/record_draft.h"
#include "broker/topic_config.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/scope.h"
#include "core/strings.h"
#include "net/name_rules.h"
#include "store/record.h"

namespace broker {
namespace {

constexpr char kBetweenNames = ',';

template <typename Fn>
void ForEachName(std::string_view names, Fn&& fn) {
  while (!names.empty()) {
    const size_t end = std::min(names.find(kBetweenNames), names.size());
    fn(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

bool CanBeLmq(std::string_view name) { return IsLmq(name) && name.size() > net::kLmqPrefix.size() && !net::WrongTopicToUse(name).has_value(); }

/// A message's copy for one light queue.
struct Copy {
  std::string_view topic;
  std::string properties;
  absl::Status status;
  core::LogicalOffset offset;
};

/// On the light queue's shard.
core::Task<absl::StatusOr<store::AppendResult>> StoreHere(BrokerShard& here, const store::MessageDraft* copy, std::optional<store::Durability> how) {
  if (const absl::Status admitted = here.lmq_queues().Admit(copy->topic); !admitted.ok()) co_return admitted;
  absl::StatusOr<store::AppendResult> stored = co_await here.store().Append({copy, 1}, how);
  if (stored.ok()) here.stats().OnDelivered(copy->topic, copy->queue_id, store::RecordBytes(*copy));
  co_return stored;
}

core::Task<void> StoreCopy(BrokerShard& shard, const store::MessageDraft& message, std::optional<store::Durability> how, Copy& copy) {
  store::MessageDraft draft = message;
  draft.topic = copy.topic;
  draft.queue_id = 0;
  draft.properties = copy.properties;
  draft.more_properties = {};
  draft.prepared_transaction_offset = 0;  // a link is the message's own
  const absl::StatusOr<store::AppendResult> stored = co_await shard.peers().On(
      shard.placement().OwnerOf(copy.topic, 0),
      [](BrokerShard& there, const store::MessageDraft* one, std::optional<store::Durability> durability) { return StoreHere(there, one, durability); },
      &std::as_const(draft), how);
  copy.status = stored.status();
  if (stored.ok()) copy.offset = stored->first_queue_offset;
}

}  // namespace

bool Dispatches(const BrokerConfig& config, std::string_view topic) {
  return config.enable_lmq && config.enable_multi_dispatch && !IsRetryTopic(topic) && !topic.starts_with("rmq_sys_");
}

std::optional<SendRefusal> CheckDispatch(std::string_view names, size_t bytes) {
  const auto illegal = [](std::string what) {
    return SendRefusal{net::ResponseCode::kMessageIllegal, core::StrCat(kPropertyMultiDispatch, " ", what)};
  };
  std::optional<SendRefusal> refusal;
  size_t count = 0;
  ForEachName(names, [&](std::string_view name) {
    ++count;
    if (CanBeLmq(name) || refusal.has_value()) return;
    refusal = illegal(core::StrCat("names ", net::Quoted(name), ", which is no light message queue: %LMQ% and a name"));
  });
  if (refusal.has_value()) return refusal;
  if (count > kDispatchQueuesMax) return illegal(core::StrCat("names ", count, " queues, more than ", kDispatchQueuesMax));
  if (count * bytes > kDispatchBytesMax) {
    return illegal(core::StrCat("names ", count, " queues: copies of a message of ", bytes, " bytes have more than ", kDispatchBytesMax, " bytes"));
  }
  return std::nullopt;
}

core::Task<absl::Status> DispatchToLmqs(BrokerShard& shard, std::string_view names, std::optional<store::Durability> durability, NoRoom no_room,
                                        store::MessageDraft* draft, std::string* more) {
  std::string common;
  const auto without = [](std::string_view name) {
    return name == kPropertyRealTopic || name == kPropertyRealQueue || name == kPropertyMultiDispatch || name == kPropertyMultiQueueOffset;
  };
  AppendWithout(common, draft->properties, without);
  AppendWithout(common, draft->more_properties, without);
  AppendProperty(common, kPropertyRealTopic, draft->topic);
  AppendProperty(common, kPropertyRealQueue, core::StrCat(draft->queue_id));

  std::deque<Copy> copies;
  ForEachName(names, [&](std::string_view name) {
    if (!CanBeLmq(name) || copies.size() >= kDispatchQueuesMax) return;
    Copy& copy = copies.emplace_back();
    copy.topic = name;
    copy.properties = common;
    AppendProperty(copy.properties, kPropertyMultiDispatch, name);
  });
  core::Scope scope;
  for (Copy& copy : copies) scope.Spawn(StoreCopy(shard, *draft, durability, copy));
  co_await scope.Join();

  std::string offsets;
  for (const Copy& copy : copies) {
    const bool left_out = absl::IsFailedPrecondition(copy.status) && no_room == NoRoom::kLeaveOut;
    if (left_out) core::LogWarning("a message is not in ", copy.topic, ": ", core::ToStd(copy.status.message()));
    if (!copy.status.ok() && !left_out) co_return copy.status;
    if (!offsets.empty()) offsets.push_back(kBetweenNames);
    offsets += core::StrCat(left_out ? -1 : copy.offset.value());
  }
  std::string added(draft->more_properties);
  AppendProperty(added, kPropertyMultiQueueOffset, offsets);
  if (draft->properties.size() + added.size() > store::kPropertiesBytesMax) co_return absl::OkStatus();  // it goes without
  *more = std::move(added);
  draft->more_properties = *more;
  co_return absl::OkStatus();
}

core::Task<absl::Status> AdmitIfLmq(BrokerShard& shard, std::string_view topic) {
  if (!shard.config().enable_lmq || !IsLmq(topic)) co_return absl::OkStatus();
  co_return co_await shard.peers().On(
      shard.placement().OwnerOf(topic, 0), [](BrokerShard& there, std::string name) { return there.lmq_queues().Admit(name); }, std::string(topic));
}

store::FetchResult ShowDispatched(store::FetchResult result) {
  struct Shown {
    store::MessageDraft draft;
    store::RecordPlace place;
    std::string properties;
  };
  std::deque<Shown> messages;
  size_t bytes = 0;
  ForEachRecord(result, [&](const store::RecordView& record) {
    Shown& shown = messages.emplace_back();
    shown.draft = DraftOf(record);
    shown.draft.prepared_transaction_offset = record.prepared_transaction_offset;
    shown.place = {record.queue_offset, record.position, record.store_timestamp};
    std::string_view topic;
    int32_t queue_id = -1;
    ForEachProperty(record.properties, [&](std::string_view name, std::string_view value) {
      if (name == kPropertyRealTopic) topic = value;
      if (name == kPropertyRealQueue) std::from_chars(value.data(), value.data() + value.size(), queue_id);
    });
    if (!topic.empty() && topic.size() <= store::kTopicBytesMax && queue_id >= 0) {
      AppendWithout(shown.properties, record.properties, [](std::string_view name) { return name == kPropertyRealTopic || name == kPropertyRealQueue; });
      AppendProperty(shown.properties, kPropertyMultiQueueOffset, core::StrCat(record.queue_offset.value()));
      if (shown.properties.size() <= store::kPropertiesBytesMax) {
        shown.draft.topic = topic;
        shown.draft.queue_id = queue_id;
        shown.draft.properties = shown.properties;
      }
    }
    bytes += store::RecordBytes(shown.draft);
  });
  if (messages.empty()) return result;
  core::Slice all = core::Reactor::Current().buffers().Allocate(bytes);
  size_t at = 0;
  for (const Shown& shown : messages) {
    store::EncodeRecord(shown.draft, shown.place, all.data() + at);
    at += store::RecordBytes(shown.draft);
  }
  result.parts.clear();
  result.parts.push_back(std::move(all));
  result.bytes = bytes;
  return result;
}

}  // namespace broker
