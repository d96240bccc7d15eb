#include "broker/send_back.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker_stats.h"
#include "broker/delay.h"
#include "broker/message_id.h"
#include "broker/message_maker.h"
#include "broker/message_properties.h"
#include "broker/multi_dispatch.h"
#include "broker/read_record.h"
#include "broker/record_draft.h"
#include "broker/send.h"
#include "broker/send_check.h"
#include "broker/system_topics.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "store/due_record.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace broker {
namespace {

using net::ResponseCode;

/// The first retry waits for the third level, each further one for the next.
constexpr int32_t kFirstLevel = 3;

net::Reply Refused(SendRefusal refusal) { return net::Reply(refusal.code, std::move(refusal.remark)); }

/// What of the message's properties matters here.
struct SentBack {
  std::string_view tags;
  std::string_view retry_topic;
  std::string_view origin_message_id;

  explicit SentBack(std::string_view properties) {
    ForEachProperty(properties, [this](std::string_view name, std::string_view value) {
      if (name == kPropertyTags)
        tags = value;
      else if (name == kPropertyRetryTopic)
        retry_topic = value;
      else if (name == kPropertyOriginMessageId)
        origin_message_id = value;
    });
  }
};

/// The properties with which it comes again. They do not tell of DELAY, which MakeWaiting adds.
std::string PropertiesOfRetry(const store::RecordView& record, const SentBack& sent) {
  std::string properties;
  AppendWithout(properties, record.properties, [](std::string_view name) {
    return name == kPropertyWait || name == kPropertyDelay || name == kPropertyRetryTopic ||
           name == kPropertyOriginMessageId;
  });
  AppendProperty(properties, kPropertyRetryTopic, sent.retry_topic.empty() ? SentToTopic(record) : sent.retry_topic);
  AppendProperty(properties, kPropertyWait, "false");
  const std::string own_id(MessageId::OfRecord(record.store_host, record.position).text());
  AppendProperty(properties, kPropertyOriginMessageId,
                 sent.origin_message_id.empty() ? std::string_view(own_id) : sent.origin_message_id);
  return properties;
}

}  // namespace

core::Task<net::Reply> SendBackHandlers::SendBack(net::RequestContext context,
                                                  net::ConsumerSendMsgBackRequest request) {
  const core::MonoTime began = core::Reactor::Current().now();
  if (shard_.RefuseForMemory()) {
    co_return net::Reply(ResponseCode::kSystemBusy,
                         "the broker's memory is full of what others have sent or do not read: try again");
  }
  const std::string group(request.group);
  GroupRetries retries = co_await FindGroupRetries(shard_, group);
  if (retries.refusal.has_value()) co_return Refused(*std::move(retries.refusal));
  if (std::optional<SendRefusal> refusal = CheckBrokerWritable(shard_.config()); refusal.has_value())
    co_return Refused(*std::move(refusal));
  if (retries.queues <= 0)
    co_return net::Reply(ResponseCode::kSuccess);  // the group wants no retries: the message is done with

  TopicConfig topic;
  topic.name = RetryTopicOf(group);
  topic.read_queues = retries.queues;
  topic.write_queues = retries.queues;
  topic.sys_flag = request.unit_mode ? kTopicSysFlagUnitSub : 0;
  const absl::StatusOr<TopicConfig> retry_topic = co_await FindOrMakeTopic(shard_, std::move(topic));
  if (!retry_topic.ok())
    co_return net::Reply(ResponseCodeOf(retry_topic.status()), std::string(retry_topic.status().message()));
  if (!retry_topic->writable()) {
    co_return net::Reply(ResponseCode::kNoPermission,
                         core::StrCat("the topic[", retry_topic->name, "] sending message is forbidden"));
  }

  const absl::StatusOr<core::Foreign<core::Slice>> bytes = co_await ReadRecordAnywhere(shard_, request.offset);
  absl::StatusOr<store::RecordView> record = absl::NotFoundError("");
  if (bytes.ok()) record = store::ParseRecord((**bytes).bytes());
  // What still waits for its time or its commit is nobody's to send back.
  if (record.ok() && HoldsWaitingMessages(record->topic)) record = absl::NotFoundError("of a system topic");
  if (!record.ok()) {
    co_return net::Reply(ResponseCode::kSystemError, core::StrCat("look message by offset failed, ", request.offset,
                                                                  ": it has expired, or no message is there"));
  }
  // Whoever consumes for a group may send back what he could have consumed, not what he would like to read.
  if (std::optional<net::Reply> refusal = context.RefuseTopic(record->topic, group)) co_return *std::move(refusal);

  const SentBack sent(record->properties);
  PreparedMessage message;
  store::MessageDraft& draft = message.draft;
  message.properties = PropertiesOfRetry(*record, sent);
  draft.properties = message.properties;
  draft.flag = record->flag;
  draft.sys_flag = record->sys_flag;
  draft.born_timestamp = record->born_timestamp;
  draft.born_host = record->born_host;
  draft.store_host = shard_.StoreHostFor(context.connection);
  draft.reconsume_times = NextReconsumeTimes(record->reconsume_times);
  draft.body = record->body;
  draft.tags_code = sent.tags.empty() ? 0 : store::JavaHash(sent.tags);

  std::string topic_name = retry_topic->name;
  Delay delay;
  if (record->reconsume_times >= TriesMax(retries, context.frame.version, request.max_reconsume_times) ||
      request.delay_level < 0) {
    if (std::optional<SendRefusal> refusal = co_await MakeDeadLetterTopic(shard_, group); refusal.has_value())
      co_return Refused(*std::move(refusal));
    topic_name = DlqTopicOf(group);
    AppendProperty(message.properties, kPropertyDelay, "0");
    draft.properties = message.properties;
  } else {
    const std::vector<int64_t>& levels = shard_.config().delay_levels_ms;
    const int64_t level =
        request.delay_level > 0 ? request.delay_level : int64_t{kFirstLevel} + record->reconsume_times;
    delay.level = static_cast<int32_t>(std::clamp<int64_t>(level, 1, static_cast<int64_t>(levels.size())));
    delay.due = core::Reactor::Current().wall_now() + levels[static_cast<size_t>(delay.level - 1)];
    // The topic may have fewer queues than the group wants by now: where nobody reads nothing must go.
    const int32_t queues = std::max(1, std::min(retries.queues, retry_topic->write_queues));
    draft.queue_id = static_cast<int32_t>(core::Reactor::Current().RandomBits() % static_cast<uint64_t>(queues));
  }
  draft.topic = topic_name;
  absl::StatusOr<store::AppendResult> stored = absl::UnavailableError("");
  if (delay.waits()) {
    MakeWaiting(delay, message);
    stored = co_await AppendWaiting(shard_, draft, delay.due, std::nullopt);
  } else {
    stored = co_await shard_.peers().On(
        shard_.placement().OwnerOf(draft.topic, draft.queue_id),
        [](BrokerShard& there, const store::MessageDraft* dead) { return there.store().Append({dead, 1}); },
        &std::as_const(draft));
  }
  // RocketMQ answers SYSTEM_ERROR for whatever it is. The client then sends the message to the retry topic itself.
  if (!stored.ok()) {
    shard_.stats().OnPutFailed();
    co_return net::Reply(ResponseCode::kSystemError, std::string(stored.status().message()));
  }
  const BrokerStats::Request counted{.messages = 1,
                                     .bytes = store::RecordBytes(draft),
                                     .millis = MillisBetween(began, core::Reactor::Current().now())};
  BrokerStats& stats = shard_.stats();
  if (delay.waits()) {
    stats.OnPut(store::kDueTopic, BrokerStats::kNoQueue, counted);
  } else {
    stats.OnPut(draft.topic, draft.queue_id, counted);
  }
  stats.OnSendBack(group, sent.retry_topic.empty() ? record->topic : sent.retry_topic);
  co_return net::Reply(ResponseCode::kSuccess);
}

void RegisterSendBackHandlers(BrokerShard& shard) {
  SendBackHandlers& handlers = shard.Adopt(std::make_unique<SendBackHandlers>(shard));
  shard.On(handlers, &SendBackHandlers::SendBack);
}

}  // namespace broker
