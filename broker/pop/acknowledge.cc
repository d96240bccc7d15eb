#include "broker/pop/acknowledge.h"

#include <bit>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "broker/catalog.h"
#include "broker/pop/receipt.h"
#include "broker/wire_status.h"
#include "core/scope.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {
namespace {

using net::ResponseCode;

/// A batch of acks names at most so many messages in all; RocketMQ's own clients send what one pop has given.
constexpr size_t kMessagesMax = 4096;

net::Reply WrongReceipt(const absl::Status& status) {
  return net::Reply(ResponseCode::kSystemError, std::string(status.message()));
}

/// What a receipt that is good no more means to who sent it.
net::Reply Refused(ReceiptState state, const PopReply& reply) {
  const std::string_view why =
      state == ReceiptState::kReplaced
          ? "the message has a newer receipt handle, of the last change of its invisible time: use that"
          : "its invisible time is over, or the message was acknowledged before: if it comes again, use the handle "
            "that it has then";
  return net::Reply(
      ResponseCode::kNoMessage,
      core::StrCat("the receipt handle for message ", reply.offsets.front(), " of ", reply.topic, "@", reply.queue_id,
                   ", popped at ", reply.pop_time, " for ", reply.invisible, " ms, is good no more: ", why));
}

std::optional<net::Reply> AnswerUnlessDone(const PopReplied& replied, const PopReply& reply) {
  if (absl::IsOutOfRange(replied.status))
    return net::Reply(ResponseCode::kNoMessage, std::string(replied.status.message()));
  if (absl::IsInvalidArgument(replied.status))
    return net::Reply(ResponseCode::kMessageIllegal, std::string(replied.status.message()));
  if (!replied.status.ok()) return ReplyFromStatus(replied.status);
  if (replied.state != ReceiptState::kDone && replied.state != ReceiptState::kPending)
    return Refused(replied.state, reply);
  return std::nullopt;
}

PopReply ReplyTo(const PopReceipt& receipt) {
  PopReply reply;
  reply.start = receipt.start_offset;
  reply.pop_time = receipt.pop_time;
  reply.invisible = receipt.invisible_time;
  reply.order = receipt.revive_queue == kOrderedReviveQueue;
  return reply;
}

/// Offsets from `start` on whose bits are set, lowest bit of the first byte first (java.util.BitSet). nullopt: no such text, or more than `room` of them, from which it
/// takes away those that it returns.
std::optional<std::vector<int64_t>> OffsetsOf(std::string_view base64, int64_t start, size_t& room) {
  std::string bytes;
  if (!absl::Base64Unescape(core::ToAbsl(base64), &bytes) || bytes.size() > OffsetBits::kMax / 8) return std::nullopt;
  size_t count = 0;
  for (const char byte : bytes) count += static_cast<size_t>(std::popcount(static_cast<uint8_t>(byte)));
  if (count > room) return std::nullopt;
  room -= count;
  std::vector<int64_t> offsets;
  offsets.reserve(count);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    if ((static_cast<uint8_t>(bytes[bit / 8]) >> (bit % 8) & 1) != 0)
      offsets.push_back(start + static_cast<int64_t>(bit));
  }
  return offsets;
}

}  // namespace

std::optional<net::Reply> AcknowledgeHandlers::CheckQueue(std::string_view topic, int32_t queue_id) const {
  const TopicConfig* const config = shard_.catalog().FindTopic(topic);
  if (config == nullptr) {
    return net::Reply(ResponseCode::kTopicNotExist, core::StrCat("topic[", topic, "] not exist, apply first please!"));
  }
  if (queue_id < 0 || queue_id >= config->read_queues) {
    return net::Reply(ResponseCode::kMessageIllegal,
                      core::StrCat("queueId[", queue_id, "] is illegal, topic:[", topic,
                                   "] topicConfig.readQueueNums:[", config->read_queues, "]"));
  }
  return std::nullopt;
}

core::Task<PopReplied> AcknowledgeHandlers::Tell(const PopReply& reply) {
  const PopReply* const borrowed = &reply;
  return shard_.peers().On(
      shard_.placement().OwnerOf(reply.topic, reply.queue_id),
      [](BrokerShard& there, const PopReply* what) {
        return what->order ? there.pops().AcknowledgeOrdered(what) : there.pops().Acknowledge(what);
      },
      borrowed);
}

core::Task<net::Reply> AcknowledgeHandlers::Acknowledge(net::RequestContext, net::AckMessageRequest request) {
  if (std::optional<net::Reply> refusal = CheckQueue(request.topic, request.queue_id); refusal.has_value())
    co_return std::move(*refusal);
  const absl::StatusOr<PopReceipt> receipt = PopReceipt::Parse(request.extra_info);
  if (!receipt.ok()) co_return WrongReceipt(receipt.status());
  PopReply reply = ReplyTo(*receipt);
  reply.group = request.consumer_group;
  reply.topic = request.topic;
  reply.queue_id = request.queue_id;
  reply.offsets.push_back(request.offset);
  const PopReplied replied = co_await Tell(reply);
  std::optional<net::Reply> answer = AnswerUnlessDone(replied, reply);
  co_return answer.has_value() ? std::move(*answer) : net::Reply();
}

core::Task<void> AcknowledgeHandlers::AcknowledgeEntry(net::JsonValue entry, size_t& room, Entry& result) {
  // fastjson writes the short names and reads the long ones as well. Source: RocketMQ 5.3.3 BatchAck.
  const auto member = [&entry](std::string_view name, std::string_view long_name) {
    return entry.Has(name) ? entry[name] : entry[long_name];
  };
  const std::string_view group = member("c", "consumerGroup").text();
  const std::optional<std::string> topic =
      PopRealTopic(member("t", "topic").text(), group, member("r", "retry").text());
  if (std::optional<std::string> wrong = net::WrongGroupName(group); wrong.has_value()) {
    result.wrong = net::Reply(ResponseCode::kSubscriptionGroupNotExist, std::move(*wrong));
  } else if (!topic.has_value()) {
    result.wrong = net::Reply(ResponseCode::kMessageIllegal,
                              "an entry of acks has no kind of topic \"r\": 0 is a topic, 1 its retry topic");
  }
  if (result.wrong.has_value()) co_return;
  PopReply reply;
  reply.group = group;
  reply.topic = *topic;
  reply.queue_id = member("q", "queueId").Int32Or(-1);
  reply.start = member("so", "startOffset").IntOr(-1);
  reply.pop_time = member("pt", "popTime").IntOr(-1);
  reply.invisible = member("it", "invisibleTime").IntOr(-1);
  reply.order = member("rq", "reviveQueueId").IntOr(0) == kOrderedReviveQueue;
  result.wrong = CheckQueue(reply.topic, reply.queue_id);
  if (result.wrong.has_value()) co_return;
  std::optional<std::vector<int64_t>> offsets;
  if (reply.start >= 0 && reply.start <= INT64_MAX - static_cast<int64_t>(OffsetBits::kMax) && reply.pop_time >= 0 &&
      reply.invisible >= 0) {
    offsets = OffsetsOf(member("b", "bitSet").text(), reply.start, room);
  }
  if (!offsets.has_value()) {
    result.wrong = net::Reply(ResponseCode::kMessageIllegal,
                              core::StrCat("an entry of acks for ", reply.topic, "@", reply.queue_id,
                                           " is no receipt: it needs so, pt and it of the pop's answer, and b, the "
                                           "offsets from so on as a bit set in base64, in all entries at most ",
                                           kMessagesMax));
    co_return;
  }
  if (offsets->empty()) co_return;
  reply.offsets = *std::move(offsets);
  const PopReplied replied = co_await Tell(reply);
  result.done = replied.done;
  (replied.status.ok() ? result.refused : result.wrong) = AnswerUnlessDone(replied, reply);
}

core::Task<net::Reply> AcknowledgeHandlers::AcknowledgeBatch(net::RequestContext context, net::BatchAckMessageRequest) {
  const absl::StatusOr<net::JsonDocument> body = net::JsonDocument::Parse(context.frame.body.text());
  if (!body.ok() || body->root()["acks"].items().empty()) {
    co_return net::Reply(ResponseCode::kNoMessage, "the body has no list of acks");
  }
  const std::span<const net::JsonValue> entries = body->root()["acks"].items();
  if (entries.size() > kMessagesMax) {
    co_return net::Reply(ResponseCode::kMessageIllegal,
                         core::StrCat(entries.size(), " acks at once are too many: send at most ", kMessagesMax));
  }
  // All are tried. RocketMQ answers success whatever becomes of single ones; here what makes no sense is told, and that a receipt is good no more where nothing was done: proxies take
  // the answer for that to each message.
  std::vector<Entry> results(entries.size());
  size_t room = kMessagesMax;
  {
    core::Scope at_once;  // so that they share a flush
    for (size_t i = 0; i < entries.size(); ++i) at_once.Spawn(AcknowledgeEntry(entries[i], room, results[i]));
    co_await at_once.Join();
  }
  Entry all;
  for (Entry& one : results) {
    all.done += one.done;
    if (one.wrong.has_value() && !all.wrong.has_value()) all.wrong = std::move(one.wrong);
    if (one.refused.has_value() && !all.refused.has_value()) all.refused = std::move(one.refused);
  }
  if (all.wrong.has_value()) co_return std::move(*all.wrong);
  if (all.refused.has_value() && all.done == 0) co_return std::move(*all.refused);
  co_return net::Reply();
}

core::Task<net::Reply> AcknowledgeHandlers::ChangeInvisibleTime(net::RequestContext,
                                                                net::ChangeInvisibleTimeRequest request) {
  if (std::optional<net::Reply> refusal = CheckQueue(request.topic, request.queue_id); refusal.has_value())
    co_return std::move(*refusal);
  const absl::StatusOr<PopReceipt> receipt = PopReceipt::Parse(request.extra_info);
  if (!receipt.ok()) co_return WrongReceipt(receipt.status());
  if (request.invisible_time < 0) {
    co_return net::Reply(ResponseCode::kInvalidParameter,
                         core::StrCat("invisibleTime is ", request.invisible_time, " ms, which lies in the past"));
  }
  PopReply reply = ReplyTo(*receipt);
  reply.group = request.consumer_group;
  reply.topic = request.topic;
  reply.queue_id = request.queue_id;
  reply.offsets.push_back(request.offset);
  const PopReply* const borrowed = &reply;
  const PopReplied replied = co_await shard_.peers().On(
      shard_.placement().OwnerOf(reply.topic, reply.queue_id),
      [](BrokerShard& there, const PopReply* what, int64_t invisible) {
        return what->order ? there.pops().ChangeOrdered(what, invisible) : there.pops().Change(what, invisible);
      },
      borrowed, request.invisible_time);
  if (std::optional<net::Reply> answer = AnswerUnlessDone(replied, reply); answer.has_value())
    co_return std::move(*answer);
  if (replied.state == ReceiptState::kDone) co_return Refused(replied.state, reply);
  net::Reply answer;
  answer.Add("popTime", replied.pop_time);
  answer.Add("invisibleTime", replied.invisible);
  answer.Add("reviveQid", receipt->revive_queue);
  co_return answer;
}

void RegisterAcknowledgeHandlers(BrokerShard& shard) {
  AcknowledgeHandlers& handlers = shard.Adopt(std::make_unique<AcknowledgeHandlers>(shard));
  shard.On(handlers, &AcknowledgeHandlers::Acknowledge);
  shard.On(handlers, &AcknowledgeHandlers::AcknowledgeBatch);
  shard.On(handlers, &AcknowledgeHandlers::ChangeInvisibleTime);
}

}  // namespace broker
