#pragma once

#include <compare>
#include <cstdint>

#include "absl/time/time.h"

namespace core {

/// A point on the monotonic clock of one machine, in nanoseconds since an arbitrary start. Never on disk or wire.
struct MonoTime {
  int64_t nanos = 0;

  friend auto operator<=>(MonoTime, MonoTime) = default;
  friend MonoTime operator+(MonoTime at, absl::Duration by) { return {at.nanos + absl::ToInt64Nanoseconds(by)}; }
  friend MonoTime operator-(MonoTime at, absl::Duration by) { return {at.nanos - absl::ToInt64Nanoseconds(by)}; }
  friend absl::Duration operator-(MonoTime a, MonoTime b) { return absl::Nanoseconds(a.nanos - b.nanos); }
  static constexpr MonoTime Max() { return {INT64_MAX}; }
};

/// Wall-clock milliseconds since 1970 UTC, the unit of every timestamp of RocketMQ's protocol. May jump both ways.
using WallMillis = int64_t;

}  // namespace core
