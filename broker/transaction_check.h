#pragma once

#include "broker/broker_shard.h"
#include "broker/transactions.h"
#include "core/task.h"

namespace broker {

/// Asks one producer of the group what has become of its transaction (CHECK_TRANSACTION_STATE, oneway): another one each time, on whichever shard it is connected. Source: RocketMQ 5.3.3 AbstractTransactionalMessageCheckListener.sendCheckMessage.
/// `check` is borrowed until it returns.
core::Task<AskResult> AskProducer(BrokerShard& shard, const TransactionCheck* check);

}  // namespace broker
