#pragma once

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "tests/history/context.h"

namespace history {

/// Locks of ordered queues: no two clients may be certain of the same one at the same time.
class Locks {
 public:
  explicit Locks(Context& context) : context_(context) {}

  void InvokeUnlock(const OpenOperation& open);
  void CompleteLock(const Event& event, const OpenOperation& open);

 private:
  /// One client's certainty: from the answer to its lock until it asks to unlock or could not know better than that it expired.
  struct Hold {
    uint32_t client = kNoName;
    int64_t from = 0;
    int64_t until = 0;
    OpRef op = 0;
  };
  Context& context_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, std::vector<Hold>> holds_;  // by group and queue
};

}  // namespace history
