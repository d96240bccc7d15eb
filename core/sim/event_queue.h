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
    heap_.push_back({at, ++sequence_, process, std::move(run)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  bool empty() const { return heap_.empty(); }
  int64_t next_at() const { return heap_.front().at; }
  Event Pop() {
    CORE_ASSERT(!heap_.empty());
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    Event event = std::move(heap_.back());
    heap_.pop_back();
    return event;
  }

 private:
  static bool Later(const Event& a, const Event& b) { return a.at != b.at ? a.at > b.at : a.sequence > b.sequence; }
  std::vector<Event> heap_;
  uint64_t sequence_ = 0;
};

}  // namespace sim
