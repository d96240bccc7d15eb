#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace broker {

/// Amount (messages, bytes, milliseconds) and times (requests) over a window. Source: RocketMQ 5.3.3 StatsSnapshot.
struct StatsWindow {
  uint64_t sum = 0;
  uint64_t times = 0;
  double seconds = 0;  // the time it spans; 0: not two samples yet

  double tps() const { return seconds > 0 ? static_cast<double>(sum) / seconds : 0; }
  double average() const { return times > 0 ? static_cast<double>(sum) / static_cast<double>(times) : 0; }
  StatsWindow& operator+=(const StatsWindow& other) {
    sum += other.sum;
    times += other.times;
    if (other.seconds > seconds) seconds = other.seconds;
    return *this;
  }
};

/// The windows of one key: minute, hour and day as request 315 answers them, 10 s, a minute and 10 min as request 28 does.
struct StatsView {
  StatsWindow ten_seconds;
  StatsWindow minute;
  StatsWindow ten_minutes;
  StatsWindow hour;
  StatsWindow day;
  uint64_t total = 0;
  StatsView& operator+=(const StatsView& other) {
    ten_seconds += other.ten_seconds;
    minute += other.minute;
    ten_minutes += other.ten_minutes;
    hour += other.hour;
    day += other.day;
    total += other.total;
    return *this;
  }
};

/// What went in or out: requests, their messages and bytes, and how long they took.
struct FlowCount {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t millis = 0;
  uint64_t times = 0;
};

/// Whole milliseconds from `begin` to `end`; both are of the clock that stands still for a tick.
inline uint64_t MillisBetween(core::MonoTime begin, core::MonoTime end) {
  return end > begin ? static_cast<uint64_t>(end.nanos - begin.nanos) / 1'000'000 : 0;
}

/// Counts that only grow, with samples of them: every 10 s for the minute, every 10 min for the hour, every hour for the day. A window ends
/// with the newest sample of all. Source: RocketMQ 5.3.3 StatsItem (whose day is unknown for its first hour).
class FlowItem {
 public:
  /// `seconds`: when it was 0, on the clock of all samples of one process; the newest sample time at the latest.
  explicit FlowItem(double seconds) {
    minute_.Push({seconds, sum_});
    hour_.Push({seconds, sum_});
    day_.Push({seconds, sum_});
  }
  /// One request more. Numbers, not a FlowCount: they stay in registers, where three items are added to at once.
  void Add(uint64_t messages, uint64_t bytes, uint64_t millis) {
    ++sum_.times;
    sum_.messages += messages;
    sum_.bytes += bytes;
    sum_.millis += millis;
  }
  const FlowCount& sum() const { return sum_; }

  void SampleSeconds(double seconds) { minute_.Push({seconds, sum_}); }
  void SampleMinutes(double seconds) { hour_.Push({seconds, sum_}); }
  void SampleHours(double seconds) { day_.Push({seconds, sum_}); }
  /// The windows of one of the counts.
  StatsView View(uint64_t FlowCount::* field = &FlowCount::messages) const {
    const Sample& end = minute_.Newest();
    const auto between = [field, &end](const Sample& begin) -> StatsWindow {
      if (begin.seconds >= end.seconds) return {};
      return {end.sum.*field - begin.sum.*field, end.sum.times - begin.sum.times, end.seconds - begin.seconds};
    };
    return {.ten_seconds = between(minute_.Back(1)),
            .minute = between(minute_.Oldest()),
            .ten_minutes = between(hour_.Back(1)),
            .hour = between(hour_.Oldest()),
            .day = between(day_.Oldest()),
            .total = sum_.*field};
  }
  /// It has seen a day without one request.
  bool Idle() const { return day_.full() && sum_.times == day_.Oldest().sum.times; }

 private:
  struct Sample {
    double seconds = 0;
    FlowCount sum;
  };
  /// The newest samples; never empty after the first Push.
  template <size_t kSamples>
  class Ring {
   public:
    void Push(const Sample& sample) {
      samples_[pushed_ % kSamples] = sample;
      ++pushed_;
    }
    bool full() const { return pushed_ >= kSamples; }
    const Sample& Newest() const { return Back(0); }
    const Sample& Oldest() const { return Back(kSamples - 1); }
    /// `steps` before the newest, or the first there is.
    const Sample& Back(size_t steps) const {
      return samples_[(pushed_ - 1 - std::min(steps, std::min(pushed_, kSamples) - 1)) % kSamples];
    }

   private:
    std::array<Sample, kSamples> samples_{};
    size_t pushed_ = 0;
  };

  FlowCount sum_;
  Ring<7> minute_;
  Ring<7> hour_;
  Ring<25> day_;
};

}  // namespace broker
