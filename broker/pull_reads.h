#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker/placement.h"
#include "core/budget.h"
#include "core/stop.h"
#include "core/task.h"
#include "net/answer_room.h"

namespace broker {

/// What pulls have found of late, by queue: the largest, which each later one lowers by an eighth, also one that finds nothing. A fixed number of
/// places, chosen by hash: a queue that is pulled may take the place of another. One shard.
class PullSizes {
 public:
  struct Size {
    uint64_t queue = 0;
    size_t bytes = 0;
    bool on_disk = false;  // the last one had to wait for the disk
  };

  static constexpr uint64_t KeyOf(std::string_view topic, int32_t queue_id) {
    return StableHash(topic) + static_cast<uint64_t>(queue_id);
  }
  /// Null when nothing is known.
  const Size* Find(uint64_t queue) const {
    const Size& size = sizes_[queue % kPlaces];
    return size.queue == queue ? &size : nullptr;
  }
  void Learn(uint64_t queue, size_t bytes, bool on_disk) {
    Size& size = sizes_[queue % kPlaces];
    if (size.queue != queue) size = {queue};
    size.bytes = Later(size.bytes, bytes);
    size.on_disk = on_disk;
  }
  static constexpr size_t Later(size_t before, size_t bytes) { return std::max(bytes, before - before / 8); }

 private:
  static constexpr size_t kPlaces = 1024;
  std::array<Size, kPlaces> sizes_{};
};

/// Memory for messages that pulls of this shard's queues read from the disk, taken before the read: nobody knows a message's size before, and a pull is
/// given its first one whatever its size. A slow disk makes the pulls of its own queues wait here, and no others. One shard.
class PullReads {
 public:
  /// `bytes_max` for all reads together; `large`: what a pull may find at most, which is expected of it while nothing is known.
  PullReads(size_t bytes_max, size_t large) : room_(bytes_max), large_(large) {}

  /// What a pull of `queue` may find that is given `bytes` at most beside its first message.
  size_t Expect(uint64_t queue, size_t bytes) const {
    const PullSizes::Size* const known = sizes_.Find(queue);
    return std::max(bytes, known != nullptr ? known->bytes : large_);
  }
  /// Waits for room for that; empty when stopped.
  core::Task<net::AnswerBytes::Hold> Take(uint64_t queue, size_t bytes, core::StopToken stop);
  /// What came of it.
  void Learn(uint64_t queue, size_t bytes) {
    sizes_.Learn(queue, bytes, true);
    large_ = PullSizes::Later(large_, bytes);
  }
  core::Budget budget() const {
    core::Budget budget;
    budget.limit = room_.capacity();
    budget.used = room_.used();
    budget.hits = hits_;
    return budget;
  }

 private:
  net::AnswerBytes room_;
  PullSizes sizes_;
  size_t large_;  // what to expect of queues that nothing is known of: the largest of late of all
  uint64_t hits_ = 0;
};

}  // namespace broker
