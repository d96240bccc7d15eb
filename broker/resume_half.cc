#include "broker/resume_half.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker/broker_stats.h"
#include "broker/half_message.h"
#include "broker/message_id.h"
#include "broker/read_record.h"
#include "broker/record_draft.h"
#include "broker/system_topics.h"
#include "broker/transactions.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "store/half_record.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace broker {
namespace {

net::Reply Refused(std::string remark) { return {net::ResponseCode::kSystemError, std::move(remark)}; }

}  // namespace

core::Task<net::Reply> ResumeHalfHandlers::Resume(net::RequestContext context,
                                                  net::ResumeCheckHalfMessageRequest request) {
  const std::string id(request.msg_id.value_or(""));
  const std::optional<core::PhysicalOffset> position = MessageId::PositionIn(id);
  if (!position.has_value())
    co_return Refused(
        core::StrCat("msgId '", id, "' is no offset message id, as topicStatus or queryMsgByOffset show it"));
  const absl::StatusOr<core::Foreign<core::Slice>> bytes = co_await ReadRecordAnywhere(shard_, position->value());
  if (!bytes.ok()) co_return Refused(std::string(bytes.status().message()));
  const absl::StatusOr<store::RecordView> record = store::ParseRecord((**bytes).bytes());
  if (!record.ok() || record->topic != kPutAsideTopic) {
    co_return Refused(
        core::StrCat("the message ", id, " is none of ", kPutAsideTopic, ": only what was put aside can be resumed"));
  }
  const HalfMessage half(*record);
  if (std::optional<net::Reply> refusal = context.RefuseTopic(half.topic)) co_return *std::move(refusal);
  const TopicConfig* const topic = half.ok() ? shard_.catalog().FindTopic(half.topic) : nullptr;
  if (topic == nullptr || half.queue_id >= topic->write_queues) {
    co_return net::Reply(net::ResponseCode::kTopicNotExist,
                         core::StrCat("the topic[", half.topic, "] of the message, or its queue ", half.queue_id,
                                      ", does not exist any more"));
  }

  PreparedMessage message;
  store::MessageDraft& draft = message.draft;
  draft = DraftOf(*record);
  draft.topic = half.topic;
  draft.queue_id = half.queue_id;
  draft.tags_code = store::TagsCodeOf(record->properties);
  draft.store_host = shard_.StoreHostFor(context.connection);
  message.uniq_key = half.uniq_key;
  const core::MonoTime began = core::Reactor::Current().now();
  MakeHalf(half.group, message);
  const absl::StatusOr<store::AppendResult> stored = co_await shard_.peers().On(
      shard_.placement().OwnerOf(draft.topic, draft.queue_id),
      [](BrokerShard& there, const store::MessageDraft* again) {
        return there.transactions().Prepare(*again, std::nullopt);
      },
      &std::as_const(draft));
  if (!stored.ok()) co_return Refused(std::string(stored.status().message()));
  shard_.stats().OnPut(store::kHalfTopic, BrokerStats::kNoQueue,
                       {.messages = 1,
                        .bytes = store::RecordBytes(draft),
                        .millis = MillisBetween(began, core::Reactor::Current().now())});
  co_return net::Reply();
}

void RegisterResumeHalfHandlers(BrokerShard& shard) {
  ResumeHalfHandlers& handlers = shard.Adopt(std::make_unique<ResumeHalfHandlers>(shard));
  shard.On(handlers, &ResumeHalfHandlers::Resume);
}

}  // namespace broker
