#include "broker/send.h"

#include <memory>
#include <optional>
#include <utility>

#include "broker/broker_stats.h"
#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/delay.h"
#include "broker/half_message.h"
#include "broker/lmq.h"
#include "broker/multi_dispatch.h"
#include "broker/schedule.h"
#include "broker/send_lane.h"
#include "broker/transactions.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/frame.h"
#include "store/half_record.h"
#include "store/record.h"

namespace broker {

using net::ResponseCode;

SendHandlers::SendHandlers(BrokerShard& shard)
    : shard_(shard), maker_(shard.config(), core::Reactor::Current().RandomBits()), topics_(shard.catalog_view(), shard.stats()) {}

core::Task<net::Reply> SendHandlers::Message(net::RequestContext context, net::SendMessageRequest request) {
  return Send(context, request);
}

core::Task<net::Reply> SendHandlers::MessageV2(net::RequestContext context, net::SendMessageV2Request request) {
  return Send(context, request);
}

core::Task<net::Reply> SendHandlers::Batch(net::RequestContext context, net::SendBatchMessageRequest request) {
  return SendBatch(context, request);
}

core::Task<net::Reply> SendHandlers::Send(net::RequestContext context, net::SendMessageHeader header) {
  return header.batch ? SendBatch(context, header) : SendOne(context, header);
}

net::Reply SendHandlers::Answer(ResponseCode code, std::string remark) const {
  net::Reply reply(code, std::move(remark));
  AddCommon(reply.fields());
  return reply;
}

void SendHandlers::AddCommon(net::HeaderFields& fields) const {
  const BrokerConfig& config = shard_.config();
  fields.Add(kPropertyMsgRegion, config.region_id);
  fields.Add(kPropertyTraceOn, std::string_view(config.trace_on ? "true" : "false"));
}

void SendHandlers::AddStored(net::HeaderFields& fields, const PreparedMessage& message, int32_t queue_id,
                             core::LogicalOffset queue_offset, core::PhysicalOffset position) const {
  AddCommon(fields);
  fields.Add("msgId", MessageId::OfRecord(message.draft.store_host, position).text());
  fields.Add("queueId", queue_id);
  fields.Add("queueOffset", queue_offset.value());
  fields.Add("transactionId", message.uniq_key);
}

net::AnswerTemplate SendHandlers::StoredAnswer(bool trace_on) const {
  return {static_cast<int32_t>(ResponseCode::kSuccess),
          {{kPropertyMsgRegion, shard_.config().region_id}, {kPropertyTraceOn, trace_on ? "true" : "false"}},
          {"msgId", "queueId", "queueOffset", "transactionId"}};
}

net::Reply SendHandlers::Refuse(SendRefusal refusal) {
  shard_.stats().OnPutFailed();
  return Answer(refusal.code, std::move(refusal.remark));
}

net::Reply SendHandlers::Failed(const absl::Status& status, int32_t queue_id, std::string_view uniq_key) {
  shard_.stats().OnPutFailed();
  const ResponseCode code = ResponseCodeOfAppend(status);
  net::Reply reply = Answer(code, std::string(status.message()));
  if (code == ResponseCode::kFlushDiskTimeout) {
    // Clients take this as a SendStatus and insist on a whole header. Where the message lies is not known for sure.
    reply.Add("msgId", uniq_key);
    reply.Add("queueId", queue_id);
    reply.Add("queueOffset", -1);
    reply.Add("transactionId", uniq_key);
  }
  return reply;
}

MessageHosts SendHandlers::HostsOf(const net::Connection& connection) const {
  return {connection.peer(), shard_.StoreHostFor(connection)};
}

void SendHandlers::ChooseQueue(net::SendMessageHeader& header, int32_t write_queues) {
  if (header.queue_id >= 0) return;
  header.queue_id = static_cast<int32_t>(core::Reactor::Current().RandomBits() % static_cast<uint64_t>(write_queues));
}

bool SendHandlers::ResolveKnown(net::SendMessageHeader& header, std::optional<SendRefusal>& refusal) const {
  SendTopic topic;
  refusal = CheckSendTopic(shard_, header, topic);
  if (refusal.has_value()) return true;
  if (!topic.known) return false;
  ChooseQueue(header, topic.write_queues);
  return true;
}

core::Task<std::optional<SendRefusal>> SendHandlers::ResolveUnknown(net::SendMessageHeader& header) {
  std::optional<SendRefusal> refusal = co_await MakeTopicForSend(shard_, header);
  if (refusal.has_value() || ResolveKnown(header, refusal)) co_return refusal;
  co_return SendRefusal{ResponseCode::kTopicNotExist, core::StrCat("topic[", header.topic, "] was deleted just now")};
}

core::Task<absl::StatusOr<store::AppendResult>> SendHandlers::Append(std::span<const store::MessageDraft> drafts,
                                                                     bool wait) {
  const store::MessageDraft& first = drafts.front();
  const core::ShardId owner = shard_.placement().OwnerOf(first.topic, first.queue_id);
  return shard_.peers().On(
      owner,
      [](BrokerShard& there, std::span<const store::MessageDraft> messages, std::optional<store::Durability> how) {
        return there.store().Append(messages, how);
      },
      drafts, DurabilityOf(wait));
}

core::Task<absl::StatusOr<store::AppendResult>> AppendWaiting(BrokerShard& shard, const store::MessageDraft& draft, core::WallMillis due,
                                                              std::optional<store::Durability> durability) {
  return shard.peers().On(
      shard.placement().OwnerOf(draft.topic, draft.queue_id),
      [](BrokerShard& there, const store::MessageDraft* message, core::WallMillis when, std::optional<store::Durability> how) {
        return there.schedule().Append(*message, when, how);
      },
      &draft, due, durability);
}

core::Task<absl::StatusOr<store::AppendResult>> SendHandlers::Prepare(const store::MessageDraft& draft, bool wait) {
  return shard_.peers().On(
      shard_.placement().OwnerOf(draft.topic, draft.queue_id),
      [](BrokerShard& there, const store::MessageDraft* half, std::optional<store::Durability> how) {
        return there.transactions().Prepare(*half, how);
      },
      &draft, DurabilityOf(wait));
}

std::optional<SendRefusal> SendHandlers::CheckMemory() {
  if (!shard_.RefuseForMemory()) return std::nullopt;
  return SendRefusal{ResponseCode::kSystemBusy, "the broker's memory is full of what others have sent or do not read: try again"};
}

std::optional<SendRefusal> SendHandlers::CheckSizes(const store::MessageDraft& draft) const {
  const size_t body_max = static_cast<size_t>(shard_.config().max_message_size);
  if (draft.body.empty()) return SendRefusal{ResponseCode::kMessageIllegal, "the message body is empty"};
  if (draft.body.size() > body_max) {
    return SendRefusal{ResponseCode::kMessageIllegal, core::StrCat("the message body has ", draft.body.size(),
                                                                   " bytes, more than maxMessageSize ", body_max)};
  }
  const size_t properties = draft.properties.size() + draft.more_properties.size();
  if (properties > store::kPropertiesBytesMax) {
    return SendRefusal{ResponseCode::kMessageIllegal, core::StrCat("the message properties have ", properties,
                                                                   " bytes, more than ", store::kPropertiesBytesMax)};
  }
  return std::nullopt;
}

bool SendHandlers::AsLmq(std::string_view topic) const { return shard_.config().enable_lmq && IsLmq(topic); }

bool SendHandlers::AsksForDispatch(std::string_view topic, const ScannedProperties& scanned) const {
  return !scanned.dispatch.empty() && Dispatches(shard_.config(), topic);
}

core::Task<absl::Status> SendHandlers::BeforeItsQueue(PreparedMessage& message, std::string_view names, bool wait) {
  CO_RETURN_IF_ERROR(co_await AdmitIfLmq(shard_, message.draft.topic));
  if (names.empty()) co_return absl::OkStatus();
  DispatchState state;
  std::string more;
  const absl::Status dispatched = co_await DispatchToLmqs(shard_, names, DurabilityOf(wait), DispatchFor::kSender, &message.draft, &state, &more);
  // That code would say that the message is stored.
  if (absl::IsDeadlineExceeded(dispatched)) co_return absl::AbortedError("its copies for light queues were not durable in time; the message itself is not stored");
  if (!more.empty()) {
    message.more_properties = std::move(more);
    message.draft.more_properties = message.more_properties;
  }
  co_return dispatched;
}

void SendHandlers::CountStored(std::span<const store::MessageDraft> drafts, core::MonoTime began) {
  BrokerStats::Request stored{
      .messages = drafts.size(), .bytes = 0, .millis = MillisBetween(began, core::Reactor::Current().now())};
  for (const store::MessageDraft& draft : drafts) stored.bytes += store::RecordBytes(draft);
  shard_.stats().OnPut(drafts.front().topic, drafts.front().queue_id, stored);
}

void SendHandlers::CountStored(const PlainSend& plain) {
  BrokerStats& stats = shard_.stats();
  stats.OnDirectSend();
  const store::MessageDraft& draft = plain.message.draft;
  if (plain.topics_forgotten != stats.topics_forgotten()) [[unlikely]]
    return CountStored({&draft, 1}, plain.began);
  stats.OnPut(*plain.puts, draft.queue_id,
              {.messages = 1,
               .bytes = store::RecordBytes(draft),
               .millis = MillisBetween(plain.began, core::Reactor::Current().now())});
}

bool SendHandlers::PreparePlain(const net::Connection& connection, const net::Frame& frame, net::SendMessageHeader& header, PlainSend& plain) {
  if (header.batch || shard_.MemoryTight() || IsRetryTopic(header.topic) || AsLmq(header.topic)) return false;
  const SendTopics::Topic* const topic = topics_.Find(header.topic);
  if (topic == nullptr) return false;
  std::optional<SendRefusal> refusal = CheckKnownTopic(shard_.config(), *topic->config, header);
  if (refusal.has_value()) return false;
  ChooseQueue(header, topic->config->write_queues);
  const ScannedProperties scanned = ScanProperties(header.properties);
  if (scanned.transaction || AsksToWait(scanned) || AsksForDispatch(header.topic, scanned) || CheckSendFeatures(header.sys_flag, scanned).has_value()) return false;
  maker_.Prepare(header, header.flag, header.properties, scanned, {}, frame.body.bytes(), HostsOf(connection),
                 core::Reactor::Current().wall_now(), /*drop_delay=*/false, plain.message);
  plain.message.draft.topic = header.topic;
  plain.message.draft.queue_id = header.queue_id;
  plain.owner = shard_.placement().OwnerOf(topic->placement, header.queue_id);
  plain.durability = DurabilityOf(scanned.wait);
  plain.puts = topic->puts;
  plain.topics_forgotten = shard_.stats().topics_forgotten();
  plain.began = core::Reactor::Current().now();
  return !CheckSizes(plain.message.draft).has_value();
}

core::Task<net::Reply> SendHandlers::SendOne(net::RequestContext context, net::SendMessageHeader header) {
  const core::MonoTime began = core::Reactor::Current().now();
  std::optional<SendRefusal> refusal = CheckMemory();
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  if (!ResolveKnown(header, refusal)) refusal = co_await ResolveUnknown(header);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));

  RetryRoute route;
  if (IsRetryTopic(header.topic)) {
    route = co_await RouteRetry(shard_, header, context.frame.version);
    if (route.refusal.has_value()) co_return Refuse(std::move(*route.refusal));
  }
  const bool dead_letter = !route.dead_letter_topic.empty();

  ScannedProperties scanned = ScanProperties(header.properties);
  if (dead_letter) scanned.delay = scanned.timer = {};  // a dead letter is not tried again, so it waits for nothing
  refusal = CheckSendFeatures(header.sys_flag, scanned);
  Delay delay;
  if (!refusal.has_value()) refusal = ReadDelay(shard_.config(), scanned, core::Reactor::Current().wall_now(), delay);
  // A message that is tried again has been committed. Source: RocketMQ 5.3.3 SendMessageProcessor.
  const bool half = scanned.transaction && !dead_letter && !(header.reconsume_times > 0 && AsksForDelay(scanned));
  if (half && !refusal.has_value() && shard_.config().reject_transaction_message) {
    refusal = SendRefusal{ResponseCode::kNoPermission,
                          core::StrCat("the broker[", shard_.config().broker_name, "] sending transaction message is forbidden")};
  }
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));

  PreparedMessage message;
  maker_.Prepare(header, header.flag, header.properties, scanned, {}, context.frame.body.bytes(),
                 HostsOf(context.connection), core::Reactor::Current().wall_now(), dead_letter, message);
  message.draft.topic = dead_letter ? std::string_view(route.dead_letter_topic) : header.topic;
  message.draft.queue_id = dead_letter ? 0 : header.queue_id;
  message.draft.sys_flag &= ~kSysFlagTransaction;
  const bool dispatches = AsksForDispatch(message.draft.topic, scanned);
  size_t copies = 0;
  if (dispatches) refusal = CheckDispatch(scanned.dispatch, message.draft, copies);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  if (dispatches) {
    if (std::optional<net::Reply> denied = RefuseDispatch(context, scanned.dispatch)) co_return *std::move(denied);
  }
  if (half)
    MakeHalf(header.producer_group, message);
  else if (delay.waits())
    MakeWaiting(delay, message);
  refusal = CheckSizes(message.draft);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));

  if (dispatches || AsLmq(message.draft.topic)) {
    const bool now = dispatches && !half && !delay.waits();
    const absl::Status ready = co_await BeforeItsQueue(message, now ? scanned.dispatch : std::string_view(), scanned.wait);
    if (!ready.ok()) co_return Failed(ready, header.queue_id, message.uniq_key);
  }

  const std::span<const store::MessageDraft> drafts(&message.draft, 1);
  absl::StatusOr<store::AppendResult> stored = absl::UnavailableError("");
  if (half)
    stored = co_await Prepare(message.draft, scanned.wait);
  else if (delay.waits())
    stored = co_await AppendWaiting(shard_, message.draft, delay.due, DurabilityOf(scanned.wait));
  else
    stored = co_await Append(drafts, scanned.wait);
  if (!stored.ok()) co_return Failed(stored.status(), header.queue_id, message.uniq_key);
  std::string recall_handle;
  if (half) {
    message.draft.topic = store::kHalfTopic;  // as which it is counted, like one that waits
    message.draft.queue_id = BrokerStats::kNoQueue;
  } else if (delay.waits()) {
    if (delay.level == 0 && !IsRetryTopic(header.topic)) {
      recall_handle = RecallHandle{std::string(header.topic), shard_.config().broker_name, delay.due, std::string(message.uniq_key)}.Encode();
    }
    message.draft.topic = store::kDueTopic;  // as which it is counted; it counts for its own when it is delivered
    message.draft.queue_id = BrokerStats::kNoQueue;
  }
  CountStored(drafts, began);

  net::Reply reply(ResponseCode::kSuccess);
  AddStored(reply.fields(), message, header.queue_id, stored->first_queue_offset, stored->positions.front());
  if (!recall_handle.empty()) reply.Add("recallHandle", recall_handle);
  co_return reply;
}

void RegisterSendHandlers(BrokerShard& shard) {
  SendHandlers& handlers = shard.Adopt(std::make_unique<SendHandlers>(shard));
  shard.On(handlers, &SendHandlers::Message);
  shard.On(handlers, &SendHandlers::MessageV2);
  shard.On(handlers, &SendHandlers::Batch);
  shard.On(handlers, &SendHandlers::ReplyMessage);
  shard.On(handlers, &SendHandlers::ReplyMessageV2);
  SendLane& lane = shard.Adopt(std::make_unique<SendLane>(shard, handlers));
  lane.Start();
  shard.AddDirect(net::RequestCode::kSendMessageV2, lane);
}

}  // namespace broker
