#pragma once

#include "broker/broker_shard.h"
#include "broker/transactions.h"
#include "core/task.h"

namespace broker {

/// Asks one producer of the group what has become of its transaction (CHECK_TRANSACTION_STATE, oneway): another one each time, on whichever shard it is connected. False: nobody
/// of the group could be asked. Source: RocketMQ 5.3.3 AbstractTransactionalMessageCheckListener.sendCheckMessage.
core::Task<bool> AskProducer(BrokerShard& shard, TransactionCheck check);

}  // namespace broker
