#pragma once

#include <coroutine>
#include <cstddef>

#include "core/intrusive_list.h"
#include "core/stop.h"
#include "core/task.h"

namespace core {

/// Owns the tasks that run beside their starter. Every spawned task ends before its scope does: an owner requests the stop,
/// then awaits Join. Declare it as the last member, so that it goes first. One shard.
class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  /// Starts `task` now; it runs until its first suspension before Spawn returns.
  void Spawn(Task<void> task);
  /// Handed to what runs here; stopped by RequestStop.
  StopToken stop_token() { return stop_.token(); }
  void RequestStop() { stop_.RequestStop(); }
  bool stop_requested() const { return stop_.stop_requested(); }
  /// Waits until no task is left. One waiter at a time.
  Task<void> Join();
  size_t running() const { return running_; }

 private:
  friend void internal::FinishSpawned(internal::TaskPromiseBase& promise, std::coroutine_handle<> self) noexcept;
  struct JoinAwaiter;

  StopSource stop_;
  IntrusiveList<internal::TaskPromiseBase> tasks_;
  size_t running_ = 0;
  std::coroutine_handle<> joiner_;
};

}  // namespace core
