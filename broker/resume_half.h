#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/transaction.h"
#include "net/router.h"

namespace broker {

/// RESUME_CHECK_HALF_MESSAGE (323): a transaction that nobody has ended, and that was put aside for it, becomes pending again, as if it had just been sent. Each
/// time it is asked for: who resumes one twice has two transactions. RocketMQ takes any message's id, also that of one that is still pending and would then be
/// delivered twice; here it is one of TRANS_CHECK_MAX_TIME_TOPIC. Source: RocketMQ 5.3.3 AdminBrokerProcessor.resumeCheckHalfMessage.
class ResumeHalfHandlers {
 public:
  explicit ResumeHalfHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> Resume(net::RequestContext context, net::ResumeCheckHalfMessageRequest request);

 private:
  BrokerShard& shard_;
};

void RegisterResumeHalfHandlers(BrokerShard& shard);

}  // namespace broker
