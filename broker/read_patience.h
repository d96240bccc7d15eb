#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/reactor.h"
#include "core/time.h"

namespace broker {

/// How long records that can't be read are asked for again before they count as lost: the disk may read them another time. One shard.
class ReadPatience {
 public:
  explicit ReadPatience(absl::Duration lasting) : lasting_(lasting) {}

  /// The record at this log position could not be read, or might not be: whether it has been so for too long by now.
  bool IsOver(uint64_t position) {
    const core::MonoTime now = core::Reactor::Current().now();
    return now - since_.try_emplace(position, now).first->second >= lasting_;
  }
  /// It was read, or given up.
  void Forget(uint64_t position) { since_.erase(position); }

 private:
  const absl::Duration lasting_;
  absl::flat_hash_map<uint64_t, core::MonoTime> since_;
};

}  // namespace broker
