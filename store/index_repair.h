#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/task.h"
#include "store/batch.h"
#include "store/queue.h"
#include "store/segment.h"

namespace store {

/// The index entries of the messages [first, first + count) of a queue, found by reading all of a full segment's log, one after the other by
/// offset. Empty when one of them is not there or damaged as well. For when the index file is damaged: every entry is in the log too.
/// `segment` is pinned by the caller.
core::Task<std::vector<IndexEntry>> EntriesFromLog(Segment& segment, LogIdentity log, std::string topic,
                                                   int32_t queue_id, int64_t first, int64_t count);

}  // namespace store
