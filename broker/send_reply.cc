#include <optional>
#include <string>
#include <utility>

#include "broker/broker_stats.h"
#include "broker/producer_groups.h"
#include "broker/send.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/requests/to_client.h"

// Request-reply: the responder's answer is pushed to the requester, whose client id is on it, over the requester's own connection, and stored
// as well. Source: RocketMQ 5.3.3 ReplyMessageProcessor.

namespace broker {
namespace {

using net::ResponseCode;

constexpr absl::Duration kPushTimeout = absl::Seconds(10);

/// A reply on its way to the requester's shard. Lives in the responder's request, which waits.
struct PushedReply {
  net::PushReplyMessageRequest header;
  std::string_view client_id;
  std::span<const std::byte> body;
};

enum class PushResult { kNotHere, kTaken, kFailed };

/// On the shard that is asked whether the requester is connected to it.
core::Task<PushResult> PushHere(BrokerShard& there, const PushedReply* reply) {
  const net::Connection::Id id = there.producer_groups().FindClient(reply->client_id);
  net::Connection* connection = id == 0 ? nullptr : there.FindConnection(id);
  if (connection == nullptr) co_return PushResult::kNotHere;
  core::Slice body = core::Reactor::Current().buffers().Copy(reply->body);
  const absl::StatusOr<net::Frame> answer = co_await connection->Call(reply->header, std::move(body), kPushTimeout);
  const bool taken = answer.ok() && answer->code == static_cast<int32_t>(ResponseCode::kSuccess);
  co_return taken ? PushResult::kTaken : PushResult::kFailed;
}

core::Task<PushResult> Push(BrokerShard& shard, const PushedReply& reply) {
  for (uint32_t i = 0; i < shard.placement().shards(); ++i) {
    const PushedReply* borrowed = &reply;
    const PushResult result = co_await shard.peers().On(
        core::ShardId(i), [](BrokerShard& there, const PushedReply* pushed) { return PushHere(there, pushed); }, borrowed);
    if (result != PushResult::kNotHere) co_return result;
  }
  co_return PushResult::kNotHere;
}

}  // namespace

core::Task<net::Reply> SendHandlers::ReplyMessage(net::RequestContext context, net::SendReplyMessageRequest request) {
  return SendReply(context, request);
}

core::Task<net::Reply> SendHandlers::ReplyMessageV2(net::RequestContext context,
                                                    net::SendReplyMessageV2Request request) {
  return SendReply(context, request);
}

core::Task<net::Reply> SendHandlers::SendReply(net::RequestContext context, net::SendMessageHeader header) {
  const core::MonoTime began = core::Reactor::Current().now();
  std::optional<SendRefusal> refusal = CheckMemory();
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  if (!ResolveKnown(header, refusal)) refusal = co_await ResolveUnknown(header);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  const ScannedProperties scanned = ScanProperties(header.properties);
  refusal = CheckSendFeatures(header.sys_flag, scanned);
  if (!refusal.has_value()) refusal = CheckNoTransaction("replies can't be transactions", scanned);
  if (!refusal.has_value()) refusal = CheckNotDelayed("replies can't be delayed", scanned);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  const core::WallMillis now = core::Reactor::Current().wall_now();
  const MessageHosts hosts = HostsOf(context.connection);
  PreparedMessage message;
  maker_.Prepare(header, header.flag, header.properties, scanned, {}, context.frame.body.bytes(), hosts, now, false, message);
  message.draft.topic = header.topic;
  message.draft.queue_id = header.queue_id;
  refusal = CheckSizes(message.draft);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));

  std::string client_id;
  ForEachProperty(header.properties, [&client_id](std::string_view name, std::string_view value) {
    if (name == kPropertyReplyToClient) client_id = value;
  });
  std::string properties = core::StrCat(message.draft.properties, message.draft.more_properties);
  AppendProperty(properties, kPropertyPushReplyTime, core::StrCat(now));
  const std::string born_host = hosts.born.Text();
  const std::string store_host = hosts.store.Text();
  PushedReply reply;
  reply.client_id = client_id;
  reply.body = message.draft.body;
  reply.header.producer_group = header.producer_group;
  reply.header.topic = header.topic;
  reply.header.default_topic = header.default_topic;
  reply.header.default_topic_queue_nums = header.default_topic_queue_nums;
  reply.header.queue_id = header.queue_id;
  reply.header.sys_flag = header.sys_flag;
  reply.header.born_timestamp = header.born_timestamp;
  reply.header.flag = header.flag;
  reply.header.properties = properties;
  reply.header.reconsume_times = header.reconsume_times;
  reply.header.unit_mode = header.unit_mode;
  reply.header.born_host = born_host;
  reply.header.store_host = store_host;
  reply.header.store_timestamp = now;
  const PushResult pushed = client_id.empty() ? PushResult::kNotHere : co_await Push(shard_, reply);

  // Stored whether it was pushed or not (storeReplyMessageEnable), for whoever looks for lost replies. The answer tells of the push.
  const std::span<const store::MessageDraft> drafts(&message.draft, 1);
  const absl::StatusOr<store::AppendResult> stored = co_await Append(drafts, scanned.wait);
  if (stored.ok()) {
    CountStored(drafts, began);
  } else {
    shard_.stats().OnPutFailed();
  }

  if (pushed == PushResult::kNotHere) {
    co_return Answer(ResponseCode::kSystemError,
                     client_id.empty() ? std::string("reply message has no REPLY_TO_CLIENT property")
                                       : core::StrCat("push reply message fail, channel of <", client_id, "> not found."));
  }
  if (pushed == PushResult::kFailed) {
    co_return Answer(ResponseCode::kSystemError, core::StrCat("push reply message to ", client_id, " fail."));
  }
  net::Reply answer = Answer(ResponseCode::kSuccess);
  answer.Add("msgId", std::string_view("0"));
  answer.Add("queueId", header.queue_id);
  answer.Add("queueOffset", 0);
  answer.Add("transactionId", message.uniq_key);
  co_return answer;
}

}  // namespace broker
