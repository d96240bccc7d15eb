#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace broker {

/// How many sends took how long, in ms.
class PutLatency {
 public:
  /// Called for each send: the usual one takes no whole millisecond.
  void Record(uint64_t millis) {
    ++counts_[millis == 0 ? 0 : BucketOf(millis)];
    if (millis > max_) max_ = millis;
  }
  PutLatency& operator+=(const PutLatency& other);
  /// What has come since `earlier`, an older copy of this; max() is that of all.
  PutLatency Since(const PutLatency& earlier) const;

  /// "[<=0ms]:12 [0~10ms]:3 ...", a blank behind each. Source: RocketMQ 5.3.3 StoreStatsService.putMessageDistributeTimeToString.
  std::string Distribution() const;
  /// Below which the share `q` (0..1) lies, in ms: as if each bucket's were spread evenly over it; 0 when there is none.
  double Quantile(double q) const;
  uint64_t max() const { return max_; }

 private:
  /// Ends of the buckets, the last of which has none. Those of RocketMQ's distribution are among them.
  static constexpr std::array<uint64_t, 30> kEnds = {1,   2,    3,    4,    5,    6,    8,    10,   15,    20,
                                                     30,  40,   50,   75,   100,  150,  200,  300,  400,   500,
                                                     750, 1000, 1500, 2000, 3000, 4000, 5000, 7500, 10000, UINT64_MAX};
  static size_t BucketOf(uint64_t millis);

  std::array<uint64_t, kEnds.size()> counts_{};  // counts_[i]: kEnds[i - 1] <= ms < kEnds[i]
  uint64_t max_ = 0;
};

}  // namespace broker
