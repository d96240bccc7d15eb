#include "core/sync.h"

#include <algorithm>
#include <utility>

namespace core {

void Waiter::Begin(std::coroutine_handle<> handle, MonoTime deadline, const StopToken& stop) {
  handle_ = handle;
  if (deadline != MonoTime::Max()) Reactor::Current().timers().Arm(*this, deadline);
  stop.Register(on_stop_);
}

void Waiter::Finish(WaitResult result) noexcept {
  if (handle_ == nullptr) return;
  result_ = result;
  ListNode::Unlink();
  on_stop_.Unlink();
  Disarm();
  Reactor::Current().Schedule(std::exchange(handle_, nullptr));
}

void Notifier::Wait_::await_suspend(std::coroutine_handle<> handle) {
  if (stop_.stop_requested()) {
    Begin(handle, MonoTime::Max(), {});
    Finish(WaitResult::kStopped);
    return;
  }
  notifier_.waiters_.PushBack(*this);
  Begin(handle, deadline_, stop_);
}

Semaphore::Take_ Semaphore::Take(uint64_t units, MonoTime deadline, StopToken stop) {
  return Take_(*this, std::min(units, capacity_), deadline, stop);
}

Semaphore::Hold Semaphore::TryTake(uint64_t units) {
  units = std::min(units, capacity_);
  if (!waiters_.empty() || units > available_) return {};
  available_ -= units;
  return {this, units};
}

bool Semaphore::Take_::await_ready() noexcept {
  if (!semaphore_.waiters_.empty() || units_ > semaphore_.available_) return false;
  semaphore_.available_ -= units_;
  taken_ = true;
  return true;
}

void Semaphore::Take_::await_suspend(std::coroutine_handle<> handle) {
  if (stop_.stop_requested()) {
    Begin(handle, MonoTime::Max(), {});
    Finish(WaitResult::kStopped);
    return;
  }
  semaphore_.waiters_.PushBack(*this);
  Begin(handle, deadline_, stop_);
}

Semaphore::Hold Semaphore::Take_::await_resume() noexcept {
  if (taken_) return {&semaphore_, units_};
  semaphore_.Serve();  // whoever waited behind this one may fit now
  return {};
}

void Semaphore::Give(uint64_t units) {
  available_ += units;
  CORE_ASSERT(available_ <= capacity_);
  Serve();
}

void Semaphore::Serve() {
  while (!waiters_.empty()) {
    auto& waiter = static_cast<Take_&>(waiters_.front());
    if (waiter.units_ > available_) return;
    available_ -= waiter.units_;
    waiter.taken_ = true;
    waiter.Finish(WaitResult::kNotified);
  }
}

}  // namespace core
