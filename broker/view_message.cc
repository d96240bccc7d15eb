#include "broker/view_message.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "core/sharded.h"
#include "core/strings.h"
#include "store/record.h"

namespace broker {
namespace {

using ForeignRecord = core::Foreign<core::Slice>;

core::Task<absl::StatusOr<ForeignRecord>> ReadHere(BrokerShard& here, core::PhysicalOffset position) {
  absl::StatusOr<core::Slice> record = co_await here.store().ReadRecord(position);
  if (!record.ok()) co_return record.status();
  co_return ForeignRecord(*std::move(record));
}

net::Reply NotThere(int64_t offset) {
  return net::Reply(net::ResponseCode::kSystemError, core::StrCat("can not find message by the offset, ", offset));
}

}  // namespace

core::Task<net::Reply> ViewMessageHandlers::View(net::RequestContext context, net::ViewMessageRequest request) {
  const core::PhysicalOffset position(request.offset);
  const uint32_t log = store::LogNumberOf(position);
  if (request.offset < 0 || log >= shard_.placement().shards()) co_return NotThere(request.offset);
  net::AnswerRoom room = co_await context.connection.TakeAnswerRoom(static_cast<size_t>(shard_.config().max_message_size));
  if (!room) co_return net::Reply::None();
  absl::StatusOr<ForeignRecord> record = co_await shard_.peers().On(
      core::ShardId(log), [](BrokerShard& there, core::PhysicalOffset at) { return ReadHere(there, at); }, position);
  if (absl::IsNotFound(record.status())) co_return NotThere(request.offset);
  if (!record.ok()) {
    co_return net::Reply(net::ResponseCode::kSystemError, std::string(record.status().message()));
  }
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
