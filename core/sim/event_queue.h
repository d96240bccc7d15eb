#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/assert.h"

namespace sim {

/// What will happen in the world, ordered by virtual time and, at one time, by when it was decided.
class EventQueue {
 public:
  struct Event {
    int64_t at = 0;  // nanoseconds of the world's clock
    uint64_t sequence = 0;
    uint64_t process = 0;  // dropped when this process is gone; 0: happens in any case
    std::function<void()> run;
  };

  void Add(int64_t at, uint64_t process, std::function<void()> run) {
    uint32_t slot = static_cast<uint32_t>(events_.size());
    if (free_.empty()) {
      events_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    events_[slot] = {at, ++sequence_, process, std::move(run)};
    heap_.push_back({at, sequence_, slot});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  bool empty() const { return heap_.empty(); }
  int64_t next_at() const { return heap_.front().at; }
  Event Pop() {
    CORE_ASSERT(!heap_.empty());
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    const uint32_t slot = heap_.back().slot;
    heap_.pop_back();
    free_.push_back(slot);
    return std::move(events_[slot]);
  }

 private:
  /// What the heap moves about: the functions stay where they are.
  struct Key {
    int64_t at;
    uint64_t sequence;
    uint32_t slot;  // in events_
  };
  static bool Later(const Key& a, const Key& b) { return a.at != b.at ? a.at > b.at : a.sequence > b.sequence; }
  std::vector<Key> heap_;
  std::vector<Event> events_;
  std::vector<uint32_t> free_;
  uint64_t sequence_ = 0;
};

}  // namespace sim
