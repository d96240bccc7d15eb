#include "broker/recall.h"

#include <memory>
#include <string>
#include <utility>

#include "broker/delay.h"
#include "broker/schedule.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::ResponseCode;

net::Reply Illegal(std::string remark) { return net::Reply(ResponseCode::kIllegalOperation, std::move(remark)); }

}  // namespace

core::Task<net::Reply> RecallHandlers::Recall(net::RequestContext, net::RecallMessageRequest request) {
  if (!shard_.config().recall_message_enable) {
    co_return net::Reply(ResponseCode::kNoPermission,
                         "recall failed, operation is forbidden: recallMessageEnable is false on this broker");
  }
  if (shard_.catalog().FindTopic(request.topic) == nullptr) {
    co_return net::Reply(ResponseCode::kTopicNotExist,
                         core::StrCat("recall failed, the topic[", request.topic, "] not exist"));
  }
  const absl::StatusOr<RecallHandle> handle = RecallHandle::Decode(request.recall_handle);
  if (!handle.ok()) co_return Illegal(std::string(handle.status().message()));
  if (handle->topic != request.topic)
    co_return Illegal(core::StrCat("recall failed, topic not match: the handle is of topic[", handle->topic, "]"));
  if (handle->broker_name != shard_.config().broker_name) {
    co_return Illegal(core::StrCat("recall failed: the message waits at the broker ", handle->broker_name));
  }
  if (handle->due <= core::Reactor::Current().wall_now())
    co_return Illegal("recall failed, timestamp invalid: its time has come");
  // The handle does not tell the queue.
  for (uint32_t i = 0; i < shard_.placement().shards(); ++i) {
    const absl::StatusOr<bool> taken = co_await shard_.peers().On(
        core::ShardId(i),
        [](BrokerShard& there, std::string topic, std::string key, core::WallMillis due) {
          return there.schedule().TakeBack(std::move(topic), std::move(key), due);
        },
        handle->topic, handle->uniq_key, handle->due);
    if (!taken.ok())
      co_return net::Reply(ResponseCodeOf(taken.status()),
                           core::StrCat("recall failed: ", core::ToStd(taken.status().message())));
    if (!*taken) continue;
    net::Reply reply(ResponseCode::kSuccess);
    reply.Add("msgId", handle->uniq_key);
    co_return reply;
  }
  co_return Illegal("recall failed: no such message waits; it was delivered or recalled, or the handle is wrong");
}

void RegisterRecallHandlers(BrokerShard& shard) {
  RecallHandlers& handlers = shard.Adopt(std::make_unique<RecallHandlers>(shard));
  shard.On(handlers, &RecallHandlers::Recall);
}

}  // namespace broker
