#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/mailbox.h"
#include "core/reactor.h"
#include "core/scope.h"
#include "core/task.h"

namespace core {

namespace internal {

template <typename T>
struct TaskResult {
  using type = T;
  static constexpr bool is_task = false;
};
template <typename T>
struct TaskResult<Task<T>> {
  using type = T;
  static constexpr bool is_task = true;
};

/// One call to another shard: travels there, runs, travels back, resumes the caller. Lives in the caller's frame.
template <typename Fn, typename... Args>
class RemoteCall final : public ShardMessage {
  using Returned = std::invoke_result_t<Fn, Args...>;
  static constexpr bool kTask = TaskResult<Returned>::is_task;

 public:
  using Result = typename TaskResult<Returned>::type;

  RemoteCall(ShardId target, Fn fn, std::tuple<Args...> args) : target_(target), fn_(fn), args_(std::move(args)) {}
  RemoteCall(const RemoteCall&) = delete;
  RemoteCall& operator=(const RemoteCall&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    caller_ = caller;
    Reactor& reactor = Reactor::Current();
    home_ = reactor.shard();
    reactor.SendTo(target_, *this);
  }
  Result await_resume() {
    if constexpr (!std::is_void_v<Result>) return std::move(*result_);
  }

  void Run() noexcept override {
    Reactor& here = Reactor::Current();
    if (there_) {
      here.Schedule(caller_);
      return;
    }
    there_ = true;
    if constexpr (kTask) {
      here.call_scope().Spawn(Drive(*this));
    } else {
      if constexpr (std::is_void_v<Result>) {
        std::apply(fn_, std::move(args_));
      } else {
        result_.emplace(std::apply(fn_, std::move(args_)));
      }
      here.SendTo(home_, *this);
    }
  }

 private:
  static Task<void> Drive(RemoteCall& call) {
    if constexpr (std::is_void_v<Result>) {
      co_await std::apply(call.fn_, std::move(call.args_));
    } else {
      call.result_.emplace(co_await std::apply(call.fn_, std::move(call.args_)));
    }
    Reactor::Current().SendTo(call.home_, call);
  }

  ShardId target_;
  ShardId home_{0};
  Fn fn_;
  std::tuple<Args...> args_;
  bool there_ = false;
  std::coroutine_handle<> caller_;
  std::optional<std::conditional_t<std::is_void_v<Result>, char, Result>> result_;
};

}  // namespace internal

/// Runs `fn(args...)` on `shard`, resumes the caller on its own with the result. `fn` captures nothing and `args` are moved: no
/// reference crosses by accident (a pointer says so out loud; what it points to stays untouched here until the call is back).
/// `fn` may return a Task. Objects that count references without atomics (Slice) do not cross: wrap them in Foreign.
template <typename Fn, typename... Args>
  requires std::is_empty_v<Fn>
Task<typename internal::RemoteCall<Fn, Args...>::Result> InvokeOn(ShardId shard, Fn fn, Args... args) {
  using Returned = std::invoke_result_t<Fn, Args...>;
  if (shard == Reactor::Current().shard()) {
    if constexpr (internal::TaskResult<Returned>::is_task) {
      co_return co_await fn(std::move(args)...);
    } else {
      co_return fn(std::move(args)...);
    }
  }
  internal::RemoteCall<Fn, Args...> call(shard, fn, std::tuple<Args...>(std::move(args)...));
  co_return co_await call;
}

/// A value that lives on the shard that made it and is held by another one: its destruction travels home.
template <typename T>
class Foreign {
 public:
  Foreign() = default;
  explicit Foreign(T value) : drop_(new Drop(std::move(value), Reactor::Current().shard())) {}
  Foreign(Foreign&& other) noexcept : drop_(std::exchange(other.drop_, nullptr)) {}
  Foreign& operator=(Foreign&& other) noexcept {
    std::swap(drop_, other.drop_);
    return *this;
  }
  ~Foreign() {
    if (drop_ == nullptr) return;
    if (!Reactor::HasCurrent() || Reactor::Current().shard() == drop_->home || Reactor::Current().abandoned()) {
      delete drop_;
    } else {
      Reactor::Current().SendTo(drop_->home, *drop_);
    }
  }
  explicit operator bool() const { return drop_ != nullptr; }
  /// Read-only away from home: what counts references must not be copied there.
  const T& operator*() const { return drop_->value; }
  const T* operator->() const { return &drop_->value; }

 private:
  struct Drop final : ShardMessage {
    Drop(T v, ShardId h) : value(std::move(v)), home(h) {}
    void Run() noexcept override { delete this; }
    void Discard() noexcept override { delete this; }
    T value;
    ShardId home;
  };
  Drop* drop_ = nullptr;
};

/// One instance of a service a shard. Filled once at start by shard 0; afterwards read-only, so every shard may use it.
template <typename T>
class Sharded {
 public:
  explicit Sharded(size_t shard_count) : instances_(shard_count) {}
  ~Sharded() = default;
  Sharded(const Sharded&) = delete;
  Sharded& operator=(const Sharded&) = delete;

  size_t size() const { return instances_.size(); }
  /// The instance of the current shard.
  T& local() const { return *instances_[Reactor::Current().shard().value()]; }
  /// The pointer only: its members belong to `shard`.
  T* at(ShardId shard) const { return instances_[shard.value()].get(); }
  /// At start and at the end, from the shard itself.
  void Set(ShardId shard, std::unique_ptr<T> instance) { instances_[shard.value()] = std::move(instance); }

  /// Runs `fn(instance&, args...)` on `shard`; see InvokeOn.
  template <typename Fn, typename... Args>
    requires std::is_empty_v<Fn>
  auto On(ShardId shard, [[maybe_unused]] Fn fn, Args... args) const {
    return InvokeOn(shard, Bound<Fn>{}, instances_[shard.value()].get(), std::move(args)...);
  }

 private:
  template <typename Fn>
  struct Bound {
    template <typename... Rest>
    auto operator()(T* instance, Rest... rest) const {
      return Fn{}(*instance, std::move(rest)...);
    }
  };
  std::vector<std::unique_ptr<T>> instances_;
};

}  // namespace core
