#include "broker/pop/cluster_queues.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/topic_config.h"
#include "core/reactor.h"
#include "net/client.h"
#include "net/json.h"
#include "net/requests/nameserver.h"
#include "net/response_code.h"

namespace broker {
namespace {

/// RocketMQ asks every 30 s (loadBalancePollNameServerInterval). Clients ask every 20 s, and a new queue should not wait for long.
constexpr absl::Duration kKept = absl::Seconds(5);
constexpr size_t kTopicsMax = 1024;
constexpr absl::Duration kRoutePatience = absl::Seconds(2);
constexpr int32_t kRouteQueuesMax = 65'536;  // of one broker; more is nonsense

}  // namespace

core::Task<bool> ClusterQueues::Ask(const core::Endpoint* nameserver, const std::string* topic,
                                    std::vector<ClusterQueue>& queues) {
  absl::StatusOr<std::unique_ptr<net::Client>> client = co_await net::Client::Connect(*nameserver, kRoutePatience);
  if (!client.ok()) co_return false;
  net::GetRouteInfoRequest request;
  request.topic = *topic;
  const absl::StatusOr<net::Frame> answer = co_await (*client)->Call(request, core::Slice(), kRoutePatience);
  co_await (*client)->Close();
  if (!answer.ok()) co_return false;
  if (answer->code == static_cast<int32_t>(net::ResponseCode::kTopicNotExist)) co_return true;
  const absl::StatusOr<net::JsonDocument> json = net::JsonDocument::Parse(answer->body.text());
  if (answer->code != 0 || !json.ok()) co_return false;
  for (const net::JsonValue& one : json->root()["queueDatas"].items()) {
    if ((one["perm"].Int32Or(0) & kPermRead) == 0) continue;
    const int32_t count = std::clamp(one["readQueueNums"].Int32Or(0), 0, kRouteQueuesMax);
    for (int32_t id = 0; id < count; ++id) queues.push_back({*topic, std::string(one["brokerName"].text()), id});
  }
  co_return true;
}

core::Task<std::vector<ClusterQueue>> ClusterQueues::Find(std::string topic) {
  const core::MonoTime now = core::Reactor::Current().now();
  if (const auto it = known_.find(topic); it != known_.end() && it->second.until > now) co_return it->second.queues;
  std::vector<std::string> nameservers = shard_.config().namesrv_endpoints;
  if (!shard_.config().nameserver_beside.empty()) nameservers.push_back(shard_.config().nameserver_beside);
  std::vector<ClusterQueue> queues;
  bool answered = false;
  for (const std::string& address : nameservers) {
    const absl::StatusOr<core::Endpoint> at = core::Endpoint::Parse(address);
    if (!at.ok()) continue;
    const core::Endpoint endpoint = *at;
    const std::string* const wanted = &topic;
    answered = co_await Ask(&endpoint, wanted, queues);
    if (answered) break;
  }
  if (!answered) {
    if (const auto it = known_.find(topic); it != known_.end()) co_return it->second.queues;
    const TopicConfig* const config = shard_.catalog().FindTopic(topic);
    const int32_t count = nameservers.empty() && config != nullptr && config->readable() ? config->read_queues : 0;
    for (int32_t id = 0; id < count; ++id) queues.push_back({topic, shard_.config().broker_name, id});
    co_return queues;
  }
  std::sort(queues.begin(), queues.end());
  queues.erase(std::unique(queues.begin(), queues.end()), queues.end());
  if (known_.size() >= kTopicsMax) known_.clear();
  known_[topic] = {queues, now + kKept};
  co_return queues;
}

}  // namespace broker
