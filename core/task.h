#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "core/assert.h"
#include "core/frame_pool.h"
#include "core/intrusive_list.h"

namespace core {

class Scope;

namespace internal {

/// What the promise of every Task has in common. As a ListNode it is a member of the Scope it was spawned into.
class TaskPromiseBase : public ListNode {
 public:
  static void* operator new(size_t bytes) { return FramePool::Allocate(bytes); }
  static void operator delete(void* frame, size_t bytes) noexcept { FramePool::Free(frame, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }  // our code throws nothing

  std::coroutine_handle<> continuation;
  Scope* scope = nullptr;           // set for a spawned task: nobody awaits it, the scope is told
  std::coroutine_handle<> spawned;  // the spawned task's own frame, for a scope that must destroy it
};

/// Tells the scope and frees the frame. In scope.cc, so that scope.h need not be known here.
void FinishSpawned(TaskPromiseBase& promise, std::coroutine_handle<> self) noexcept;

struct FinalAwaiter {
  bool await_ready() noexcept { return false; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
    TaskPromiseBase& promise = self.promise();
    if (promise.scope != nullptr) {
      FinishSpawned(promise, self);
      return std::noop_coroutine();
    }
    return promise.continuation;
  }
  void await_resume() noexcept {}
};

template <typename T>
class TaskPromise : public TaskPromiseBase {
 public:
  auto get_return_object() noexcept { return std::coroutine_handle<TaskPromise>::from_promise(*this); }
  FinalAwaiter final_suspend() noexcept { return {}; }
  template <typename U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T TakeResult() {
    CORE_ASSERT(value_.has_value());
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  auto get_return_object() noexcept { return std::coroutine_handle<TaskPromise>::from_promise(*this); }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void return_void() noexcept {}
  void TakeResult() noexcept {}
};

}  // namespace internal

/// A lazy coroutine: runs when awaited (symmetric transfer, on the awaiter's shard) or spawned into a Scope.
/// Move-only, awaited at most once; destroying an unfinished one destroys its frame and all it awaits.
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;

  Task() = default;
  Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}  // NOLINT: what a coroutine returns
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { Destroy(); }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> handle;
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
        handle.promise().continuation = awaiting;
        return handle;
      }
      T await_resume() { return handle.promise().TakeResult(); }
    };
    CORE_ASSERT(handle_ != nullptr);
    return Awaiter{handle_};
  }
  /// A named task is awaited as it lies; the frame stays until the Task dies.
  auto operator co_await() & noexcept { return std::move(*this).operator co_await(); }

  /// For Scope and the event loops: gives the frame away.
  std::coroutine_handle<promise_type> Release() noexcept { return std::exchange(handle_, nullptr); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 private:
  void Destroy() noexcept {
    if (handle_) std::exchange(handle_, nullptr).destroy();
  }
  std::coroutine_handle<promise_type> handle_ = nullptr;
};

}  // namespace core
