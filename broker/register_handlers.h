#pragma once

#include "broker/broker_shard.h"

namespace broker {

/// Adds every capability of the broker to one shard: what this list does not name is answered with REQUEST_CODE_NOT_SUPPORTED. On the
/// shard, after its store is open and before it listens.
void RegisterHandlers(BrokerShard& shard);

}  // namespace broker
