#include "broker/view_message.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/read_record.h"
#include "core/sharded.h"
#include "core/strings.h"
#include "store/record.h"

namespace broker {
namespace {

net::Reply NotThere(int64_t offset) {
  return net::Reply(net::ResponseCode::kSystemError, core::StrCat("can not find message by the offset, ", offset));
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
  if (std::optional<net::Reply> refusal = context.RefuseTopic(OwnTopicOf(*view))) co_return *std::move(refusal);
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
