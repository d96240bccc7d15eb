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
#include "store/dispatched_copy.h"
#include "store/record.h"

namespace broker {
namespace {

constexpr char kBetweenNames = ',';
constexpr int64_t kLeftOut = -1;

/// Splits as Java does: nothing is behind a comma at the end.
template <typename Fn>
void ForEachName(std::string_view names, Fn&& fn) {
  while (!names.empty()) {
    const size_t end = std::min(names.find(kBetweenNames), names.size());
    fn(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

bool CanBeLmq(std::string_view name) { return IsLmq(name) && name.size() > net::kLmqPrefix.size() && !net::WrongTopicToUse(name).has_value(); }

bool IsOfCopy(std::string_view property) {
  return property == kPropertyRealTopic || property == kPropertyRealQueue || property == kPropertyMultiDispatch || property == kPropertyMultiQueueOffset;
}

size_t PropertyBytes(std::string_view name, std::string_view value) { return name.size() + value.size() + 2; }

/// A message's copy for one light queue.
struct Copy {
  std::string_view topic;
  std::string own_property;
  absl::Status status;
  int64_t offset = kLeftOut;
};

/// On the light queue's shard.
core::Task<absl::StatusOr<int64_t>> StoreHere(BrokerShard& here, const store::MessageDraft* copy, std::optional<store::Durability> how, store::Admission admission) {
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await here.store().BeginAppendInTurn(*copy, how, admission));
  const int64_t offset = begun.queue_offset.value();
  if (begun.pending != nullptr) CO_RETURN_IF_ERROR(co_await here.store().EndAppend(std::move(begun)));
  here.stats().OnDelivered(copy->topic, copy->queue_id, store::RecordBytes(*copy));
  co_return offset;
}

core::Task<void> StoreCopy(BrokerShard& shard, const store::MessageDraft& message, std::string_view common, std::optional<store::Durability> how,
                           store::Admission admission, Copy& copy) {
  store::MessageDraft draft = message;
  draft.topic = copy.topic;
  draft.queue_id = 0;
  draft.properties = common;
  draft.more_properties = copy.own_property;
  draft.prepared_transaction_offset = store::kDispatchedCopy;
  const absl::StatusOr<int64_t> stored = co_await shard.peers().On(
      shard.placement().OwnerOf(copy.topic, 0),
      [](BrokerShard& there, const store::MessageDraft* one, std::optional<store::Durability> durability, store::Admission as) {
        return StoreHere(there, one, durability, as);
      },
      &std::as_const(draft), how, admission);
  copy.status = stored.status();
  if (stored.ok()) copy.offset = *stored;
}

/// Room for all of `copies`, before any is stored. Where there is none the status of that copy tells.
core::Task<void> AdmitAll(BrokerShard& shard, std::deque<Copy>& copies) {
  for (uint32_t owner = 0; owner < shard.placement().shards(); ++owner) {
    std::vector<Copy*> of_owner;
    for (Copy& copy : copies) {
      if (shard.placement().OwnerOf(copy.topic, 0).value() == owner) of_owner.push_back(&copy);
    }
    if (of_owner.empty()) continue;
    const std::vector<Copy*>* const borrowed = &of_owner;
    co_await shard.peers().On(
        core::ShardId(owner),
        [](BrokerShard& there, const std::vector<Copy*>* wanted) {
          for (Copy* copy : *wanted) copy->status = there.lmq_queues().Admit(copy->topic);
        },
        borrowed);
  }
}

}  // namespace

bool DispatchesAny(const BrokerConfig& config) { return config.enable_lmq && config.enable_multi_dispatch; }

bool Dispatches(const BrokerConfig& config, std::string_view topic) {
  return DispatchesAny(config) && !IsRetryTopic(topic) && !topic.starts_with("rmq_sys_");
}

std::optional<SendRefusal> CheckDispatch(std::string_view names, const store::MessageDraft& draft, size_t& bytes) {
  const auto illegal = [](std::string what) {
    return SendRefusal{net::ResponseCode::kMessageIllegal, core::StrCat(kPropertyMultiDispatch, " ", what)};
  };
  std::optional<SendRefusal> refusal;
  size_t count = 0;
  size_t longest = 0;
  ForEachName(names, [&](std::string_view name) {
    ++count;
    longest = std::max(longest, name.size());
    if (CanBeLmq(name) || refusal.has_value()) return;
    refusal = illegal(core::StrCat("names ", net::Quoted(name), ", which is no light message queue: %LMQ% and a name"));
  });
  if (refusal.has_value()) return refusal;
  if (count > kDispatchQueuesMax) return illegal(core::StrCat("names ", count, " queues, more than ", kDispatchQueuesMax));
  size_t properties = PropertyBytes(kPropertyRealTopic, draft.topic) + PropertyBytes(kPropertyRealQueue, core::StrCat(draft.queue_id)) +
                      PropertyBytes(kPropertyMultiDispatch, "") + longest;
  for (const std::string_view text : {draft.properties, draft.more_properties}) {
    ForEachProperty(text, [&](std::string_view name, std::string_view value) { properties += IsOfCopy(name) ? 0 : PropertyBytes(name, value); });
  }
  if (properties > store::kPropertiesBytesMax) {
    return illegal(core::StrCat("leaves copies with ", properties, " bytes of properties, more than ", store::kPropertiesBytesMax));
  }
  bytes += count * store::RecordBytes(draft);
  if (bytes > kDispatchBytesMax) return illegal(core::StrCat("asks for copies of ", bytes, " bytes in all, more than ", kDispatchBytesMax));
  return std::nullopt;
}

std::optional<net::Reply> RefuseDispatch(const net::RequestContext& context, std::string_view names) {
  std::optional<net::Reply> refusal;
  ForEachName(names, [&](std::string_view name) {
    if (!refusal.has_value()) refusal = context.RefuseTopic(name);
  });
  return refusal;
}

core::Task<absl::Status> DispatchToLmqs(BrokerShard& shard, std::string_view names, std::optional<store::Durability> durability, DispatchFor whom,
                                        store::MessageDraft* draft, DispatchState* state, std::string* more) {
  std::string common;
  AppendWithout(common, draft->properties, IsOfCopy);
  AppendWithout(common, draft->more_properties, IsOfCopy);
  AppendProperty(common, kPropertyRealTopic, draft->topic);
  AppendProperty(common, kPropertyRealQueue, core::StrCat(draft->queue_id));

  size_t bytes = 0;
  if (std::optional<SendRefusal> refusal = CheckDispatch(names, *draft, bytes); refusal.has_value()) {
    // A sender was refused; this message was stored when there were no light queues.
    core::LogWarning("a message of ", draft->topic, " is in its own queue alone: ", refusal->remark);
    co_return absl::OkStatus();
  }
  std::deque<Copy> copies;
  ForEachName(names, [&](std::string_view name) {
    if (state->contains(name) || std::any_of(copies.begin(), copies.end(), [&](const Copy& copy) { return copy.topic == name; })) return;
    Copy& copy = copies.emplace_back();
    copy.topic = name;
    AppendProperty(copy.own_property, kPropertyMultiDispatch, name);
  });
  co_await AdmitAll(shard, copies);
  for (const Copy& copy : copies) {
    if (copy.status.ok()) continue;
    if (whom == DispatchFor::kSender) co_return copy.status;
    core::LogWarning("a message of ", draft->topic, " is not in ", copy.topic, ": ", core::ToStd(copy.status.message()));
    state->emplace(copy.topic, kLeftOut);
  }
  const store::Admission admission = whom == DispatchFor::kDelivery ? store::Admission::kMakesRoom : store::Admission::kOrdinary;
  core::Scope scope;
  for (Copy& copy : copies) {
    if (copy.status.ok()) scope.Spawn(StoreCopy(shard, *draft, common, durability, admission, copy));
  }
  co_await scope.Join();
  absl::Status status;
  for (const Copy& copy : copies) {
    if (state->contains(copy.topic)) continue;
    status.Update(copy.status);
    if (copy.status.ok()) state->emplace(copy.topic, copy.offset);
  }
  CO_RETURN_IF_ERROR(status);

  std::string offsets;
  ForEachName(names, [&](std::string_view name) {
    if (!offsets.empty()) offsets.push_back(kBetweenNames);
    offsets += core::StrCat(state->find(name)->second);
  });
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

std::string_view SentToTopic(const store::RecordView& record) {
  std::string_view topic = record.topic;
  if (record.prepared_transaction_offset != store::kDispatchedCopy || !IsLmq(topic)) return topic;
  ForEachProperty(record.properties, [&](std::string_view name, std::string_view value) {
    if (name == kPropertyRealTopic) topic = value;
  });
  return topic;
}

store::FetchResult ShowDispatched(store::FetchResult result) {
  struct Shown {
    store::MessageDraft draft;
    store::RecordPlace place;
    std::string properties;
  };
  std::deque<Shown> messages;
  size_t bytes = 0;
  bool any = false;
  ForEachRecord(result, [&](const store::RecordView& record) {
    Shown& shown = messages.emplace_back();
    shown.draft = DraftOf(record);
    shown.draft.prepared_transaction_offset = record.prepared_transaction_offset;
    shown.place = {record.queue_offset, record.position, record.store_timestamp};
    if (record.prepared_transaction_offset == store::kDispatchedCopy) {
      any = true;
      shown.draft.prepared_transaction_offset = 0;
      shown.draft.topic = SentToTopic(record);
      ForEachProperty(record.properties, [&](std::string_view name, std::string_view value) {
        if (name == kPropertyRealQueue) std::from_chars(value.data(), value.data() + value.size(), shown.draft.queue_id);
      });
      AppendWithout(shown.properties, record.properties, [](std::string_view name) { return name == kPropertyRealTopic || name == kPropertyRealQueue; });
      std::string offset;
      AppendProperty(offset, kPropertyMultiQueueOffset, core::StrCat(record.queue_offset.value()));
      if (shown.properties.size() + offset.size() <= store::kPropertiesBytesMax) shown.properties += offset;
      shown.draft.properties = shown.properties;
    }
    bytes += store::RecordBytes(shown.draft);
  });
  if (!any) return result;
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
