#include "core/scope.h"

#include "core/assert.h"
#include "core/reactor.h"

namespace core {

namespace internal {

void FinishSpawned(TaskPromiseBase& promise, std::coroutine_handle<> self) noexcept {
  Scope& scope = *promise.scope;
  promise.Unlink();
  self.destroy();
  --scope.running_;
  if (scope.running_ == 0 && scope.joiner_) {
    Reactor::Current().Schedule(std::exchange(scope.joiner_, nullptr));
  }
}

}  // namespace internal

struct Scope::JoinAwaiter {
  Scope& scope;
  bool await_ready() const noexcept { return scope.running_ == 0; }
  void await_suspend(std::coroutine_handle<> handle) {
    CORE_ASSERT(scope.joiner_ == nullptr);
    scope.joiner_ = handle;
  }
  void await_resume() const noexcept {}
};

Scope::~Scope() {
  if (running_ == 0) return;
  CORE_ASSERT(Reactor::HasCurrent() && Reactor::Current().abandoned());
  while (!tasks_.empty()) {
    const std::coroutine_handle<> frame = tasks_.PopFront().spawned;
    --running_;
    frame.destroy();
  }
}

void Scope::Spawn(Task<void> task) {
  const auto frame = task.Release();
  internal::TaskPromiseBase& promise = frame.promise();
  promise.scope = this;
  promise.spawned = frame;
  tasks_.PushBack(promise);
  ++running_;
  frame.resume();
}

Task<void> Scope::Join() {
  while (running_ > 0) {
    JoinAwaiter joined{*this};
    co_await joined;
  }
}

}  // namespace core
