#pragma once

#include <coroutine>
#include <cstdint>

#include "core/io.h"
#include "core/reactor.h"

namespace core {

/// Awaits one Io operation: `co_await IoCall([&](Io& io, Completion& done) { io.SyncFile(file, done); })` gives its result. The
/// closure runs while the awaiting frame is suspended and may refer to it.
template <typename Start>
class [[nodiscard]] IoCall final : public Completion {
 public:
  explicit IoCall(Start start) : start_(std::move(start)) {}
  IoCall(const IoCall&) = delete;
  IoCall& operator=(const IoCall&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    reactor_ = &Reactor::Current();
    start_(reactor_->io(), static_cast<Completion&>(*this));
  }
  int32_t await_resume() const noexcept { return result_; }

 private:
  void OnComplete(int32_t result) noexcept override {
    result_ = result;
    reactor_->Schedule(handle_);
  }
  Start start_;
  Reactor* reactor_ = nullptr;
  std::coroutine_handle<> handle_;
  int32_t result_ = 0;
};

}  // namespace core
