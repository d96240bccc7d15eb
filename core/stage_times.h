#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/metrics.h"
#include "core/time.h"

namespace core {

/// The stages of a request's way through a shard, in their order. What each one measures is said where it is recorded, and to operators in docs/LIMITS.md.
enum class Stage : uint8_t { kReceive, kDecode, kHandOver, kAppend, kWrite, kFlush, kAcknowledge, kSend };
inline constexpr std::array<std::string_view, 8> kStageNames = {"receive", "decode", "hand_over", "append", "write", "flush", "acknowledge", "send"};

/// How long the stages took on one shard since its start. One shard.
class StageTimes {
 public:
  void Record(Stage stage, MonoTime from, MonoTime to) {
    times_[static_cast<size_t>(stage)].Record(to.nanos > from.nanos ? static_cast<uint64_t>(to.nanos - from.nanos) : 0);
  }
  /// Nanoseconds.
  const Histogram& of(Stage stage) const { return times_[static_cast<size_t>(stage)]; }

 private:
  std::array<Histogram, kStageNames.size()> times_;
};

/// Picks one of 64: reading a clock for each message would cost as much as some of the stages.
class Sampler {
 public:
  bool Next() { return ++seen_ % 64 == 0; }

 private:
  uint32_t seen_ = 0;
};

}  // namespace core
