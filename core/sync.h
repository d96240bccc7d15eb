#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/intrusive_list.h"
#include "core/reactor.h"
#include "core/stop.h"
#include "core/timer.h"

namespace core {

enum class WaitResult { kNotified, kTimeout, kStopped };

/// A coroutine that waits for one of: a notification, a deadline, a stop. Lives in its frame; resumed exactly once through the
/// ready queue.
class Waiter : public ListNode, private Timer {
 public:
  Waiter() : on_stop_(*this) {}
  ~Waiter() override = default;
  /// Ends the wait; a second end is ignored.
  void Finish(WaitResult result) noexcept;
  /// Suspended and not yet ended.
  bool waiting() const { return handle_ != nullptr; }

 protected:
  friend class Notifier;
  friend class Semaphore;
  void Begin(std::coroutine_handle<> handle, MonoTime deadline, const StopToken& stop);
  WaitResult result() const { return result_; }

 private:
  struct FinishOnStop final : StopCallback {
    explicit FinishOnStop(Waiter& w) : waiter(w) {}
    void OnStop() noexcept override { waiter.Finish(WaitResult::kStopped); }
    Waiter& waiter;
  };
  void OnExpire() noexcept override { Finish(WaitResult::kTimeout); }
  FinishOnStop on_stop_;
  std::coroutine_handle<> handle_;
  WaitResult result_ = WaitResult::kNotified;
};

/// Coroutines that wait until something changes. A notification is not remembered: check, then wait, in a loop. One shard.
class Notifier {
 public:
  class [[nodiscard]] Wait_ : public Waiter {
   public:
    Wait_(Notifier& notifier, MonoTime deadline, StopToken stop) : notifier_(notifier), deadline_(deadline), stop_(stop) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle);
    WaitResult await_resume() const noexcept { return result(); }

   private:
    Notifier& notifier_;
    MonoTime deadline_;
    StopToken stop_;
  };

  /// Until NotifyOne/NotifyAll, `deadline`, or `stop`.
  Wait_ Wait(MonoTime deadline = MonoTime::Max(), StopToken stop = {}) { return Wait_(*this, deadline, stop); }
  Wait_ Wait(StopToken stop) { return Wait_(*this, MonoTime::Max(), stop); }
  void NotifyAll() noexcept {
    while (!waiters_.empty()) waiters_.PopFront().Finish(WaitResult::kNotified);
  }
  void NotifyOne() noexcept {
    if (!waiters_.empty()) waiters_.PopFront().Finish(WaitResult::kNotified);
  }
  bool has_waiters() { return !waiters_.empty(); }

 private:
  IntrusiveList<Waiter> waiters_;
};

/// A number of units that are taken and given back: bytes of a budget, slots. First come, first served. One shard.
class Semaphore {
 public:
  explicit Semaphore(uint64_t units) : available_(units), capacity_(units) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Units held; given back when it dies.
  class Hold {
   public:
    Hold() = default;
    Hold(Semaphore* semaphore, uint64_t units) : semaphore_(semaphore), units_(units) {}
    Hold(Hold&& other) noexcept
        : semaphore_(std::exchange(other.semaphore_, nullptr)), units_(std::exchange(other.units_, 0)) {}
    Hold& operator=(Hold&& other) noexcept {
      if (this != &other) {
        Release();
        semaphore_ = std::exchange(other.semaphore_, nullptr);
        units_ = std::exchange(other.units_, 0);
      }
      return *this;
    }
    ~Hold() { Release(); }
    void Release() {
      if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->Give(units_);
    }
    explicit operator bool() const { return semaphore_ != nullptr; }

   private:
    Semaphore* semaphore_ = nullptr;
    uint64_t units_ = 0;
  };

  class [[nodiscard]] Take_ : public Waiter {
   public:
    Take_(Semaphore& semaphore, uint64_t units, MonoTime deadline, StopToken stop)
        : semaphore_(semaphore), units_(units), deadline_(deadline), stop_(stop) {}
    bool await_ready() noexcept;
    void await_suspend(std::coroutine_handle<> handle);
    /// Empty when it timed out or was stopped.
    Hold await_resume() noexcept;

   private:
    friend class Semaphore;
    Semaphore& semaphore_;
    uint64_t units_;
    MonoTime deadline_;
    StopToken stop_;
    bool taken_ = false;
  };

  /// Waits for `units` (more than the capacity is cut to it, so that one large taker can pass alone).
  Take_ Take(uint64_t units, MonoTime deadline = MonoTime::Max(), StopToken stop = {});
  /// At once or not at all.
  Hold TryTake(uint64_t units);
  uint64_t available() const { return available_; }
  uint64_t capacity() const { return capacity_; }

 private:
  void Give(uint64_t units);
  void Serve();
  uint64_t available_;
  uint64_t capacity_;
  IntrusiveList<Waiter> waiters_;
};

/// Waits at least `duration`; ends early with kStopped on `stop`, else kTimeout.
class [[nodiscard]] Sleep : public Waiter {
 public:
  explicit Sleep(absl::Duration duration, StopToken stop = {})
      : Sleep(Reactor::Current().now() + duration, stop) {}
  explicit Sleep(MonoTime until, StopToken stop = {}) : until_(until), stop_(stop) {}
  bool await_ready() const noexcept { return stop_.stop_requested(); }
  void await_suspend(std::coroutine_handle<> handle) { Begin(handle, until_, stop_); }
  WaitResult await_resume() const noexcept { return stop_.stop_requested() ? WaitResult::kStopped : result(); }

 private:
  MonoTime until_;
  StopToken stop_;
};

}  // namespace core
