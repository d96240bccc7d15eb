#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "broker/broker_shard.h"
#include "core/buffer.h"
#include "core/sharded.h"
#include "core/task.h"
#include "core/types.h"
#include "store/record.h"

namespace broker {

/// The record at a physical offset, which names the log and so the shard. A client may have made the offset up: kNotFound, unless a record begins there
/// that consumers may see.
core::Task<absl::StatusOr<core::Foreign<core::Slice>>> ReadRecordAnywhere(BrokerShard& shard, int64_t offset);

/// The topic that the message is of: of one that waits for its time or its commit the one that it waits for. Points into the record.
std::string_view OwnTopicOf(const store::RecordView& record);

}  // namespace broker
