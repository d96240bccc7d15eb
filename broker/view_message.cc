#include "broker/view_message.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/message_properties.h"
#include "broker/read_record.h"
#include "broker/system_topics.h"
#include "core/sharded.h"
#include "core/strings.h"
#include "store/record.h"

namespace broker {
namespace {

net::Reply NotThere(int64_t offset) {
  return net::Reply(net::ResponseCode::kSystemError, core::StrCat("can not find message by the offset, ", offset));
}

/// What waits for its time or its commit belongs to the topic that it waits for.
std::string_view TopicOf(const store::RecordView& record) {
  std::string_view topic = record.topic;
  if (!HoldsWaitingMessages(topic)) return topic;
  ForEachProperty(record.properties, [&](std::string_view name, std::string_view value) {
    if (name == kPropertyRealTopic) topic = value;
  });
  return topic;
}

}  // namespace

core::Task<net::Reply> ViewMessageHandlers::View(net::RequestContext context, net::ViewMessageRequest request) {
  net::AnswerRoom room = co_await context.connection.TakeAnswerRoom(static_cast<size_t>(shard_.config().max_message_size));
  if (!room) co_return net::Reply::None();
  absl::StatusOr<core::Foreign<core::Slice>> record = co_await ReadRecordAnywhere(shard_, request.offset);
  if (absl::IsNotFound(record.status())) co_return NotThere(request.offset);
  if (!record.ok()) {
    co_return net::Reply(net::ResponseCode::kSystemError, std::string(record.status().message()));
  }
  const absl::StatusOr<store::RecordView> view = store::ParseRecord((**record).bytes());
  if (!view.ok()) co_return NotThere(request.offset);
  if (std::optional<net::Reply> refusal = context.RefuseTopic(TopicOf(*view))) co_return *std::move(refusal);
  net::Reply reply;
  const net::Reply::ForeignPart whole(**record);
  room.ShrinkTo(whole.bytes.size());
  reply.SetForeignBody(*std::move(record), {whole}).KeepUntilSent(std::move(room));
  co_return reply;
}

void RegisterViewMessageHandlers(BrokerShard& shard) {
  ViewMessageHandlers& handlers = shard.Adopt(std::make_unique<ViewMessageHandlers>(shard));
  shard.On(handlers, &ViewMessageHandlers::View);
}

}  // namespace broker
