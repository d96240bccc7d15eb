#pragma once

#include "broker/broker_shard.h"
#include "core/task.h"
#include "core/time.h"
#include "net/reply.h"
#include "net/requests/transaction.h"
#include "net/router.h"

namespace broker {

/// END_TRANSACTION (37): a producer commits or rolls back. Whatever is neither gets no answer, and the transaction stays pending. Source: RocketMQ 5.3.3
/// EndTransactionProcessor. Stricter: a transaction ends once; RocketMQ commits as often as it is told to.
class EndTransactionHandlers {
 public:
  explicit EndTransactionHandlers(BrokerShard& shard) : shard_(shard) {}
  core::Task<net::Reply> End(net::RequestContext context, net::EndTransactionRequest request);

 private:
  BrokerShard& shard_;
  uint64_t refused_ = 0;
  core::MonoTime quiet_until_;  // says no more of them before
};

void RegisterEndTransactionHandlers(BrokerShard& shard);

}  // namespace broker
