#include "broker/consume_directly.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/call_client.h"
#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/consumer_groups.h"
#include "broker/message_id.h"
#include "broker/read_record.h"
#include "core/sharded.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;

net::Reply Error(std::string remark) { return {ResponseCode::kSystemError, std::move(remark)}; }

}  // namespace

core::Task<net::Reply> ConsumeDirectlyHandlers::Consume(net::RequestContext context, net::ConsumeMessageDirectlyRequest request) {
  const std::string group(request.consumer_group);
  const std::string client_id(request.client_id.value_or(""));
  const std::string_view id = request.msg_id.value_or("");
  const std::optional<core::PhysicalOffset> position = MessageId::PositionIn(id);
  if (!position.has_value()) {
    co_return Error(core::StrCat("msgId[", id, "] is no offset message id: name the one that the send returned as offsetMsgId"));
  }
  const std::optional<GroupView> view = co_await shard_.consumer_groups().View(group);
  const net::Connection::Id member = MemberOf(view, client_id);
  if (member == 0) co_return RelayedReply(ClientAnswer(), group, client_id);
  std::string body;
  {
    const absl::StatusOr<core::Foreign<core::Slice>> record = co_await ReadRecordAnywhere(shard_, position->value());
    if (!record.ok()) co_return Error(core::StrCat("no message with msgId[", id, "]: ", core::ToStd(record.status().message())));
    const absl::StatusOr<store::RecordView> message = store::ParseRecord((**record).bytes());
    if (!message.ok()) co_return Error(std::string(message.status().message()));
    if (std::optional<net::Reply> refusal = context.RefuseTopic(OwnTopicOf(*message), group)) co_return *std::move(refusal);
    body = (*record)->text();
  }
  request.broker_name = shard_.config().broker_name;
  if (const TopicConfig* topic = shard_.catalog().FindTopic(request.topic.value_or(""))) request.topic_sys_flag = topic->sys_flag;
  if (const GroupConfig* config = shard_.catalog().FindGroup(group)) request.group_sys_flag = config->sys_flag;
  ClientAnswer answer = co_await CallClient(shard_, member, &request, &body, kClientTimeout);
  co_return RelayedReply(std::move(answer), group, client_id);
}

void RegisterConsumeDirectlyHandlers(BrokerShard& shard) {
  ConsumeDirectlyHandlers& handlers = shard.Adopt(std::make_unique<ConsumeDirectlyHandlers>(shard));
  shard.On(handlers, &ConsumeDirectlyHandlers::Consume);
}

}  // namespace broker
