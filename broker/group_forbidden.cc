#include "broker/group_forbidden.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/catalog.h"
#include "broker/catalog_writer.h"
#include "broker/gather.h"
#include "broker/pop/waits.h"
#include "broker/wire_status.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/json.h"

namespace broker {
namespace {

using net::ResponseCode;

/// The pulls of the topic's queues that are held here end with nothing; the next ones are refused.
core::Task<bool> EndHeldPulls(BrokerShard& here, std::string group, std::string topic, int32_t queues) {
  for (int32_t queue = 0; queue < queues; ++queue) {
    if (here.placement().OwnerOf(topic, queue) != here.id()) continue;
    here.held_pulls().Call({group, topic, queue});
    co_await core::Yield();  // every pull that is held was looked at
  }
  here.pop_waits().WakeAll(group, topic);
  co_return true;
}

}  // namespace

core::Task<net::Reply> GroupForbiddenHandlers::Update(net::RequestContext,
                                                      net::UpdateAndGetGroupForbiddenRequest request) {
  const std::string group(request.group);
  const std::string topic(request.topic);
  if (request.readable.has_value()) {
    const bool forbidden = !*request.readable;
    const TopicConfig* const config = shard_.catalog().FindTopic(topic);
    if (forbidden && config == nullptr) {
      co_return net::Reply(ResponseCode::kTopicNotExist, core::StrCat("Topic ", topic, " does not exist"));
    }
    const int32_t queues = config == nullptr ? 0 : config->queues();
    const absl::Status changed = co_await shard_.catalog_writer().ForbidTopic(group, topic, forbidden);
    if (!changed.ok()) co_return ReplyFromStatus(changed, ResponseCode::kSubscriptionGroupNotExist);
    if (forbidden) {
      co_await OnEveryShard(
          shard_.peers(),
          [](BrokerShard& there, std::string of, std::string in, int32_t count) {
            return EndHeldPulls(there, std::move(of), std::move(in), count);
          },
          group, topic, queues);
    }
  }
  const GroupConfig* const now = shard_.catalog().FindGroup(group);
  if (now == nullptr) {
    co_return net::Reply(ResponseCode::kSubscriptionGroupNotExist, core::StrCat("Group ", group, " does not exist"));
  }
  net::JsonWriter json;
  json.BeginObject()
      .Member("group", group)
      .Member("readable", !now->forbidden_topics.contains(topic))
      .Member("topic", topic)
      .EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

void RegisterGroupForbiddenHandlers(BrokerShard& shard) {
  GroupForbiddenHandlers& handlers = shard.Adopt(std::make_unique<GroupForbiddenHandlers>(shard));
  shard.On(handlers, &GroupForbiddenHandlers::Update);
}

}  // namespace broker
