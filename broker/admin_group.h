#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker_shard.h"
#include "broker/versioned_body.h"
#include "core/task.h"
#include "net/requests/group_admin.h"

namespace broker {

/// The configuration of subscription groups. Source: RocketMQ 5.3.3 AdminBrokerProcessor.
class AdminGroupHandlers {
 public:
  explicit AdminGroupHandlers(BrokerShard& shard)
      : shard_(shard), all_(KeptBodyMax(shard.config().append_buffer_bytes)) {}

  /// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP (200) and .._LIST (225).
  core::Task<net::Reply> Put(net::RequestContext context, net::UpdateAndCreateSubscriptionGroupRequest request);
  core::Task<net::Reply> PutList(net::RequestContext context, net::UpdateAndCreateSubscriptionGroupListRequest request);
  /// GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201) and GET_SUBSCRIPTIONGROUP_CONFIG (352), which makes a group where that is automatic.
  core::Task<net::Reply> GetAll(net::RequestContext context, net::GetAllSubscriptionGroupConfigRequest request);
  core::Task<net::Reply> Get(net::RequestContext context, net::GetSubscriptionGroupConfigRequest request);
  /// DELETE_SUBSCRIPTIONGROUP (207).
  core::Task<net::Reply> Delete(net::RequestContext context, net::DeleteSubscriptionGroupRequest request);

 private:
  BrokerShard& shard_;
  VersionedBody all_;
};

void RegisterAdminGroupHandlers(BrokerShard& shard);

}  // namespace broker
