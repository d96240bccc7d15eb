#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/pop.h"
#include "net/router.h"

namespace broker {

/// How a group consumes a topic, as an administrator has said. Source: RocketMQ 5.3.3 SetMessageRequestModeRequestBody.
struct GroupRequestMode {
  RequestMode mode = RequestMode::kPull;
  int32_t pop_share = 0;  // popShareQueueNum
};

/// What counts for a group and a topic: what was said, else what the configuration says; retry topics are pulled. From any shard: asks shard 0, where the rows are.
core::Task<GroupRequestMode> FindRequestMode(BrokerShard& shard, std::string topic, std::string group);

/// The changes that forget what was said of a deleted topic or group; the other is empty. `meta`: of shard 0, others have nothing to forget.
std::vector<store::MetaChange> ForgetRequestModes(const store::MetaStore& meta, std::string_view topic,
                                                  std::string_view group);

/// SET_MESSAGE_REQUEST_MODE (mqadmin setConsumeMode), GET_ALL_MESSAGE_REQUEST_MODE.
class RequestModeHandlers {
 public:
  explicit RequestModeHandlers(BrokerShard& shard) : shard_(shard) {}

  core::Task<net::Reply> Set(net::RequestContext context, net::SetMessageRequestModeRequest request);
  core::Task<net::Reply> GetAll(net::RequestContext context, net::GetAllMessageRequestModeRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterRequestModeHandlers(BrokerShard& shard);

}  // namespace broker
