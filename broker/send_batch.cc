#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/multi_dispatch.h"
#include "broker/send.h"
#include "core/reactor.h"
#include "core/scope.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/frame.h"
#include "net/remoting_util.h"

// A batch is stored as one unit: consecutive offsets of one queue, all of its messages or none. Source: RocketMQ 5.3.3
// SendMessageProcessor.sendBatchMessage, MessageExtEncoder.encode.

namespace broker {
namespace {

using net::ResponseCode;

constexpr std::string_view kNoDelay = "the messages of a batch can't be delayed: send them one by one";
constexpr std::string_view kNoTransaction = "a batch can't be one transaction";

SendRefusal IllegalBatch(std::string remark) { return {ResponseCode::kMessageIllegal, std::move(remark)}; }

}  // namespace

core::Task<void> SendHandlers::Ready(PreparedMessage& message, std::string_view names, bool wait, absl::Status& status) {
  status = co_await BeforeItsQueue(message, names, wait);
}

core::Task<absl::Status> SendHandlers::BeforeTheirQueue(std::deque<PreparedMessage>& messages, const std::vector<std::string_view>& names, bool wait) {
  std::vector<absl::Status> statuses(messages.size());
  core::Scope scope;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (i == 0 || !names[i].empty()) scope.Spawn(Ready(messages[i], names[i], wait, statuses[i]));
  }
  co_await scope.Join();
  for (const absl::Status& status : statuses) CO_RETURN_IF_ERROR(status);
  co_return absl::OkStatus();
}

core::Task<net::Reply> SendHandlers::SendBatch(net::RequestContext context, net::SendMessageHeader header) {
  const core::MonoTime began = core::Reactor::Current().now();
  std::optional<SendRefusal> refusal = CheckMemory();
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  if (!ResolveKnown(header, refusal)) refusal = co_await ResolveUnknown(header);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  if (IsRetryTopic(header.topic)) co_return Refuse(IllegalBatch("batch request does not support retry group"));
  const std::string_view body = context.frame.body.text();
  const size_t body_max = static_cast<size_t>(shard_.config().max_message_size);
  if (body.empty()) co_return Refuse(IllegalBatch("the message body is empty"));
  if (body.size() > body_max) {
    co_return Refuse(IllegalBatch(core::StrCat("the batch has ", body.size(), " bytes, more than maxMessageSize ", body_max)));
  }
  const ScannedProperties of_batch = ScanProperties(header.properties);
  refusal = CheckSendFeatures(header.sys_flag, of_batch);
  if (!refusal.has_value()) refusal = CheckNoTransaction(kNoTransaction, of_batch);
  if (!refusal.has_value()) refusal = CheckNotDelayed(kNoDelay, of_batch);
  if (refusal.has_value()) co_return Refuse(std::move(*refusal));

  const std::string header_properties = MessageMaker::BatchProperties(header.properties);
  const MessageHosts hosts = HostsOf(context.connection);
  const core::WallMillis now = core::Reactor::Current().wall_now();
  std::deque<PreparedMessage> messages;  // a deque, because drafts point into their messages
  std::vector<store::MessageDraft> drafts;
  std::vector<std::string_view> dispatches;  // of each message
  size_t copies = 0;
  net::BatchReader reader(body);
  while (!reader.AtEnd()) {
    net::BatchMessage inner;
    if (const absl::Status read = reader.Next(inner); !read.ok()) {
      co_return Refuse(IllegalBatch(std::string(read.message())));
    }
    ScannedProperties scanned = ScanProperties(inner.properties);
    refusal = CheckSendFeatures(0, scanned);
    if (!refusal.has_value()) refusal = CheckNoTransaction(kNoTransaction, scanned);
    if (!refusal.has_value()) refusal = CheckNotDelayed(kNoDelay, scanned);
    if (refusal.has_value()) co_return Refuse(std::move(*refusal));
    if (!of_batch.tags.empty()) scanned.tags = of_batch.tags;  // stored behind the message's own, so it is what counts
    PreparedMessage& message = messages.emplace_back();
    maker_.Prepare(header, inner.flag, inner.properties, scanned, header_properties,
                   std::as_bytes(std::span(inner.body.data(), inner.body.size())), hosts, now, false, message);
    message.draft.topic = header.topic;
    message.draft.queue_id = header.queue_id;
    refusal = CheckSizes(message.draft);
    if (!refusal.has_value() && AsksForDispatch(header.topic, scanned)) {
      dispatches.resize(messages.size());
      dispatches.back() = scanned.dispatch;
      refusal = CheckDispatch(scanned.dispatch, message.draft, copies);
      if (!refusal.has_value()) {
        if (std::optional<net::Reply> denied = RefuseDispatch(context, scanned.dispatch)) co_return *std::move(denied);
      }
    }
    if (refusal.has_value()) co_return Refuse(std::move(*refusal));
  }
  dispatches.resize(messages.size());
  const std::string_view transaction_id = of_batch.uniq_key.empty() ? messages.front().uniq_key : of_batch.uniq_key;
  if (AsLmq(header.topic) || copies > 0) {
    const absl::Status ready = co_await BeforeTheirQueue(messages, dispatches, of_batch.wait);
    if (!ready.ok()) co_return Failed(ready, header.queue_id, transaction_id);
  }
  for (const PreparedMessage& message : messages) drafts.push_back(message.draft);

  const std::span<const store::MessageDraft> borrowed(drafts);
  const absl::StatusOr<store::AppendResult> stored = co_await Append(borrowed, of_batch.wait);
  if (!stored.ok()) co_return Failed(stored.status(), header.queue_id, transaction_id);
  CountStored(borrowed, began);

  std::string ids;
  for (const core::PhysicalOffset position : stored->positions) {
    if (!ids.empty()) ids.push_back(',');
    ids.append(MessageId::OfRecord(hosts.store, position).text());
  }
  net::Reply reply = Answer(ResponseCode::kSuccess);
  reply.Add("msgId", ids);
  reply.Add("queueId", header.queue_id);
  reply.Add("queueOffset", stored->first_queue_offset.value());
  reply.Add("transactionId", transaction_id);
  co_return reply;
}

}  // namespace broker
