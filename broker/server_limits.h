#pragma once

#include <cstddef>

#include "broker/config.h"
#include "net/limits.h"

namespace broker {

/// What one of `shards` shards grants its peers. Where the configuration leaves a number open (0), it follows from the shard's memory, so that all
/// of the limits together are about two and a half times that memory, beside what the caches have.
net::ServerLimits ServerLimitsOf(const BrokerConfig& config, size_t shards);

/// Long polls that one shard may hold; each costs about 2 KiB.
size_t HeldPullsMax(const BrokerConfig& config);

/// Messages of one shard's queues that may be in flight after pops; each costs up to some 250 bytes.
size_t PopMessagesMax(const BrokerConfig& config);

/// Bytes of messages that pulls of one shard's queues may be reading from its disk.
size_t PullReadBytesMax(const BrokerConfig& config);

/// Entries of one shard's key index in memory, 24 bytes each: they are written to files when there are that many.
size_t KeyTableEntries(const BrokerConfig& config);

/// Bytes of pooled buffers from which on a shard refuses sends.
size_t BusyBufferBytes(const BrokerConfig& config);

}  // namespace broker
