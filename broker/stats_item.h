#pragma once

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

/// A sum that only grows, with samples of it: every 10 s for the minute, every 10 min for the hour, every hour for the day. Source: RocketMQ
/// 5.3.3 StatsItem.
class StatsItem {
 public:
  void Add(uint64_t amount, uint64_t times) {
    sum_ += amount;
    times_ += times;
  }
  uint64_t sum() const { return sum_; }

  /// One sample; `seconds` is the clock of all samples of one process.
  void SampleSeconds(double seconds) { minute_.Push({seconds, sum_, times_}); }
  void SampleMinutes(double seconds) { hour_.Push({seconds, sum_, times_}); }
  void SampleHours(double seconds) { day_.Push({seconds, sum_, times_}); }
  StatsView View() const {
    return {minute_.Last(), minute_.Span(), hour_.Last(), hour_.Span(), day_.Span(), sum_};
  }

 private:
  struct Sample {
    double seconds = 0;
    uint64_t sum = 0;
    uint64_t times = 0;
  };
  template <size_t kSamples>
  class Ring {
   public:
    void Push(Sample sample) {
      samples_[next_ % kSamples] = sample;
      ++next_;
    }
    /// From the oldest sample to the newest.
    StatsWindow Span() const { return Between(next_ <= kSamples ? 0 : next_ - kSamples); }
    /// Between the two newest.
    StatsWindow Last() const { return Between(next_ < 2 ? 0 : next_ - 2); }

   private:
    StatsWindow Between(size_t first_number) const {
      if (next_ < 2) return {};
      const Sample& last = samples_[(next_ - 1) % kSamples];
      const Sample& first = samples_[first_number % kSamples];
      return {last.sum - first.sum, last.times - first.times, last.seconds - first.seconds};
    }
    std::array<Sample, kSamples> samples_{};
    size_t next_ = 0;
  };

  uint64_t sum_ = 0;
  uint64_t times_ = 0;
  Ring<7> minute_;
  Ring<7> hour_;
  Ring<25> day_;
};

}  // namespace broker
