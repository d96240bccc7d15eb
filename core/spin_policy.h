#pragma once

#include <bit>
#include <cstdint>

namespace core {

/// Whether a shard that has nothing to do should watch for work for a moment (ReactorOptions::spin_limit) instead of falling asleep at once. It goes on
/// sooner so, and whoever sends it work need not wake it; but it takes a processor's time. So it does while most waits of late were short: a
/// shard that is idle, or has work now and then, sleeps at once. Asked only while little comes at a time.
class SpinPolicy {
 public:
  bool Worth() const { return std::popcount(short_waits_) >= kShortWaitsMin; }
  /// A wait has ended: watching for it was worth it, or would have been.
  void Note(bool was_short) { short_waits_ = static_cast<uint16_t>(short_waits_ << 1 | (was_short ? 1 : 0)); }

 private:
  static constexpr int kShortWaitsMin = 8;  // of 16

  uint16_t short_waits_ = 0;
};

}  // namespace core
