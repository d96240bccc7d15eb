#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/time.h"

namespace store {

/// The row of MetaTable::kRetention: "VERSION" and for each sample " TIME:POSITION", oldest first, all decimal.
inline constexpr std::string_view kRetentionClockKey = "clock";
inline constexpr uint64_t kRetentionClockVersion = 1;

/// How long ago what lies in the log was written, for retention: in time that the broker ran, by the monotonic clock. The wall clock may step by years while it runs
/// or between two runs, and store times with it; no message goes before its time because of that. Time in which the broker does not run does not
/// count: messages rather stay longer. One shard.
class RetentionClock {
 public:
  /// How coarse the samples are, which is how much later than `reserved` something may go: a part of it.
  static constexpr int kSamplesOfTime = 500;

  /// `reserved`: after how long messages may go.
  explicit RetentionClock(absl::Duration reserved) : reserved_(reserved), step_(reserved / kSamplesOfTime) {}

  /// Goes on where `row` ends. kDataLoss: it can't be read; nothing is old then.
  absl::Status Load(std::string_view row);
  /// At `now` the log has grown to `end`. The first call says when this run began.
  void Observe(core::MonoTime now, uint64_t end);
  /// Whether all below `end` was written at least `reserved` ago, as of the last Observe.
  bool Expired(uint64_t end) const;
  /// What Load takes. After a crash the time since the last one that was stored does not count.
  std::string Row() const;
  void Saved() { saved_ = time_; }
  bool WantsSave() const { return time_ - saved_ >= kSaveInterval; }

 private:
  static constexpr absl::Duration kSaveInterval = absl::Minutes(5);
  struct Sample {
    absl::Duration time;  // the broker had run so long in all
    uint64_t end = 0;     // of the log then
  };

  const absl::Duration reserved_;
  const absl::Duration step_;
  std::deque<Sample> samples_;  // ascending
  absl::Duration base_;         // ran before this run
  core::MonoTime begun_ = core::MonoTime::Max();
  absl::Duration time_;   // ran in all
  absl::Duration saved_;  // as of the last Row that was stored
};

}  // namespace store
