#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace broker {

/// Amount (messages, bytes) and times (requests) over a window. Source: RocketMQ 5.3.3 StatsSnapshot.
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

/// A sum that only grows, with samples of it: every 10 s for the minute, every 10 min for the hour, every hour for the day. A window ends
/// with the newest sample of all. Source: RocketMQ 5.3.3 StatsItem (whose day is unknown for its first hour).
class StatsItem {
 public:
  /// `seconds`: when it was 0, on the clock of all samples of one process; the newest sample time at the latest.
  explicit StatsItem(double seconds) {
    minute_.Push({seconds, 0, 0});
    hour_.Push({seconds, 0, 0});
    day_.Push({seconds, 0, 0});
  }
  void Add(uint64_t amount, uint64_t times) {
    sum_ += amount;
    times_ += times;
  }
  uint64_t sum() const { return sum_; }

  void SampleSeconds(double seconds) { minute_.Push({seconds, sum_, times_}); }
  void SampleMinutes(double seconds) { hour_.Push({seconds, sum_, times_}); }
  void SampleHours(double seconds) { day_.Push({seconds, sum_, times_}); }
  StatsView View() const {
    const Sample& end = minute_.Newest();
    return {.ten_seconds = Between(minute_.Back(1), end),
            .minute = Between(minute_.Oldest(), end),
            .ten_minutes = Between(hour_.Back(1), end),
            .hour = Between(hour_.Oldest(), end),
            .day = Between(day_.Oldest(), end),
            .total = sum_};
  }

 private:
  struct Sample {
    double seconds = 0;
    uint64_t sum = 0;
    uint64_t times = 0;
  };
  static StatsWindow Between(const Sample& begin, const Sample& end) {
    if (begin.seconds >= end.seconds) return {};
    return {end.sum - begin.sum, end.times - begin.times, end.seconds - begin.seconds};
  }
  /// The newest samples; never empty after the first Push.
  template <size_t kSamples>
  class Ring {
   public:
    void Push(Sample sample) {
      samples_[pushed_ % kSamples] = sample;
      ++pushed_;
    }
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

  uint64_t sum_ = 0;
  uint64_t times_ = 0;
  Ring<7> minute_;
  Ring<7> hour_;
  Ring<25> day_;
};

}  // namespace broker
