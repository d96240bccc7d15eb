#pragma once

#include <cstdint>
#include <optional>

#include "core/task.h"
#include "store/batch.h"
#include "store/log_reader.h"
#include "store/segment.h"

namespace store {

struct FoundBatch {
  BatchHeader header;
  uint64_t begin = 0;
};

/// The first batch at or behind `at` in the segment that ends by `end`: by its header or, where that is damaged, by the header's copy at its end.
core::Task<std::optional<FoundBatch>> FindBatch(LogReader& reader, Segment& segment, LogIdentity log, uint64_t at,
                                                uint64_t end);

}  // namespace store
