#pragma once

#include <cstddef>
#include <vector>

#include "core/time.h"

namespace core {

class TimerQueue;

/// A deadline in a TimerQueue. Disarms itself when destroyed.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  bool armed() const { return queue_ != nullptr; }
  MonoTime deadline() const { return deadline_; }
  void Disarm();

 protected:
  virtual ~Timer() { Disarm(); }
  /// Runs on the shard when the deadline has passed; the timer is disarmed already.
  virtual void OnExpire() noexcept = 0;

 private:
  friend class TimerQueue;
  MonoTime deadline_;
  TimerQueue* queue_ = nullptr;
  size_t index_ = 0;
};

/// The timers of one shard: a 4-ary heap, so that arming, disarming and expiring cost O(log n) and touch few lines.
class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();

  /// Arms or re-arms.
  void Arm(Timer& timer, MonoTime deadline);
  /// Expires all whose deadline is <= now; returns how many.
  size_t ExpireUntil(MonoTime now);
  MonoTime next() const { return heap_.empty() ? MonoTime::Max() : heap_.front().deadline; }
  size_t size() const { return heap_.size(); }

 private:
  friend class Timer;
  struct Entry {
    MonoTime deadline;
    Timer* timer;
  };
  void Remove(Timer& timer);
  void Place(size_t index, Entry entry);
  void SiftUp(size_t index);
  void SiftDown(size_t index);
  std::vector<Entry> heap_;
};

}  // namespace core
