#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace core {

/// Metrics belong to one shard and are read by it; a total is the sum over shards, gathered by calls. Each has its name and help
/// beside it, so that a component's struct of metrics is its own documentation.
class Counter {
 public:
  constexpr Counter(std::string_view name, std::string_view help) : name_(name), help_(help) {}
  void Add(uint64_t by = 1) { value_ += by; }
  uint64_t value() const { return value_; }
  std::string_view name() const { return name_; }
  std::string_view help() const { return help_; }

 private:
  std::string_view name_;
  std::string_view help_;
  uint64_t value_ = 0;
};

class Gauge {
 public:
  constexpr Gauge(std::string_view name, std::string_view help) : name_(name), help_(help) {}
  void Set(int64_t value) { value_ = value; }
  void Add(int64_t by) { value_ += by; }
  int64_t value() const { return value_; }
  std::string_view name() const { return name_; }
  std::string_view help() const { return help_; }

 private:
  std::string_view name_;
  std::string_view help_;
  int64_t value_ = 0;
};

/// Counts values in buckets whose width is 1/16 of their size: quantiles within about 6 %, 1 KiB * 7, no allocation.
class Histogram {
 public:
  void Record(uint64_t value, uint64_t times = 1) {
    buckets_[IndexOf(value)] += times;
    count_ += times;
    sum_ += value * times;
    if (value > max_) max_ = value;
  }
  void Merge(const Histogram& other);
  /// The value below which the share `q` (0..1) of all lies; 0 when empty. The upper end of its bucket, at most max().
  uint64_t Quantile(double q) const;
  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  uint64_t max() const { return max_; }

 private:
  static constexpr int kSubBits = 4;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) << kSubBits;
  static size_t IndexOf(uint64_t value) {
    if (value < (uint64_t{1} << kSubBits)) return static_cast<size_t>(value);
    const int exponent = static_cast<int>(std::bit_width(value)) - 1 - kSubBits;
    return (static_cast<size_t>(exponent) << kSubBits) + static_cast<size_t>(value >> exponent);
  }
  static uint64_t UpperEnd(size_t index);
  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace core
