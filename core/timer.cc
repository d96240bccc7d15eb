#include "core/timer.h"

#include "core/assert.h"

namespace core {

void Timer::Disarm() {
  if (queue_ != nullptr) queue_->Remove(*this);
}

TimerQueue::~TimerQueue() {
  for (Entry& entry : heap_) entry.timer->queue_ = nullptr;
}

void TimerQueue::Arm(Timer& timer, MonoTime deadline) {
  if (timer.queue_ != nullptr) {
    CORE_ASSERT(timer.queue_ == this);
    Remove(timer);
  }
  timer.queue_ = this;
  timer.deadline_ = deadline;
  heap_.push_back({deadline, &timer});
  timer.index_ = heap_.size() - 1;
  SiftUp(timer.index_);
}

size_t TimerQueue::ExpireUntil(MonoTime now) {
  size_t expired = 0;
  while (!heap_.empty() && heap_.front().deadline <= now) {
    Timer& timer = *heap_.front().timer;
    Remove(timer);
    timer.OnExpire();
    ++expired;
  }
  return expired;
}

void TimerQueue::Remove(Timer& timer) {
  CORE_ASSERT(timer.queue_ == this);
  const size_t index = timer.index_;
  timer.queue_ = nullptr;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  Place(index, last);
  SiftUp(index);
  SiftDown(last.timer->index_);
}

void TimerQueue::Place(size_t index, Entry entry) {
  heap_[index] = entry;
  entry.timer->index_ = index;
}

void TimerQueue::SiftUp(size_t index) {
  const Entry moving = heap_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 4;
    if (heap_[parent].deadline <= moving.deadline) break;
    Place(index, heap_[parent]);
    index = parent;
  }
  Place(index, moving);
}

void TimerQueue::SiftDown(size_t index) {
  const Entry moving = heap_[index];
  for (;;) {
    const size_t first = index * 4 + 1;
    if (first >= heap_.size()) break;
    size_t least = first;
    for (size_t child = first + 1; child < heap_.size() && child < first + 4; ++child) {
      if (heap_[child].deadline < heap_[least].deadline) least = child;
    }
    if (heap_[least].deadline >= moving.deadline) break;
    Place(index, heap_[least]);
    index = least;
  }
  Place(index, moving);
}

}  // namespace core
