#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/stop.h"
#include "core/sync.h"
#include "core/task.h"

namespace net {

/// Bytes of answers that may be under way: taken in the order of asking, given back in parts. One shard.
class AnswerBytes {
 public:
  explicit AnswerBytes(size_t capacity) : available_(capacity), capacity_(capacity) {}
  AnswerBytes(const AnswerBytes&) = delete;
  AnswerBytes& operator=(const AnswerBytes&) = delete;

  /// Bytes held; given back when it dies.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : of_(std::exchange(other.of_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(of_, other.of_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Hold() { ShrinkTo(0); }
    explicit operator bool() const { return bytes_ > 0; }
    /// Gives back all but `bytes`.
    void ShrinkTo(size_t bytes) {
      if (bytes < bytes_) of_->Give(std::exchange(bytes_, bytes) - bytes);
    }

   private:
    friend class AnswerBytes;
    Hold(AnswerBytes* of, size_t bytes) : of_(of), bytes_(bytes) {}
    AnswerBytes* of_ = nullptr;
    size_t bytes_ = 0;
  };

  /// At once or not at all (empty). More than the capacity is cut to it, so that one large answer can pass alone.
  Hold TryTake(size_t bytes) {
    bytes = Cut(bytes);
    if (waiting_ > 0 || bytes > available_) return {};
    available_ -= bytes;
    return {this, bytes};
  }
  /// Waits for it; empty when stopped.
  core::Task<Hold> Take(size_t bytes, core::StopToken stop);

  size_t used() const { return capacity_ - available_; }
  size_t capacity() const { return capacity_; }

 private:
  size_t Cut(size_t bytes) const { return std::clamp<size_t>(bytes, 1, capacity_); }
  void Give(size_t bytes) {
    available_ += bytes;
    freed_.NotifyOne();
  }

  size_t available_;
  const size_t capacity_;
  size_t waiting_ = 0;
  core::Semaphore turn_{1};  // whose turn it is waits for `freed_`, the others for their turn
  core::Notifier freed_;
};

/// Room for an answer, of its connection's and of its shard's: taken before the answer is made, kept by the reply until it is sent. One shard.
struct AnswerRoom {
  AnswerBytes::Hold of_connection;
  AnswerBytes::Hold of_shard;

  explicit operator bool() const { return static_cast<bool>(of_shard); }
  /// Gives back what an answer of `bytes` does not need.
  void ShrinkTo(size_t bytes) {
    of_connection.ShrinkTo(bytes);
    of_shard.ShrinkTo(bytes);
  }
};

}  // namespace net
