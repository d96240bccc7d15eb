#pragma once

#include "core/intrusive_list.h"

namespace core {

class StopToken;

/// Called once when a stop is requested; unlinks itself when destroyed.
class StopCallback : public ListNode {
 public:
  virtual void OnStop() noexcept = 0;

 protected:
  ~StopCallback() = default;
};

/// Where a stop is requested. Outlives its tokens' waits. One shard.
class StopSource {
 public:
  StopToken token();
  bool stop_requested() const { return stopped_; }
  void RequestStop() {
    if (stopped_) return;
    stopped_ = true;
    while (!callbacks_.empty()) callbacks_.PopFront().OnStop();
  }

 private:
  friend class StopToken;
  bool stopped_ = false;
  IntrusiveList<StopCallback> callbacks_;
};

/// Travels down to whatever waits; a default token never stops.
class StopToken {
 public:
  StopToken() = default;
  bool stop_requested() const { return source_ != nullptr && source_->stopped_; }
  /// Registers `callback` unless the stop was requested already or can't be.
  void Register(StopCallback& callback) const {
    if (source_ != nullptr && !source_->stopped_) source_->callbacks_.PushBack(callback);
  }

 private:
  friend class StopSource;
  explicit StopToken(StopSource* source) : source_(source) {}
  StopSource* source_ = nullptr;
};

inline StopToken StopSource::token() { return StopToken(this); }

}  // namespace core
