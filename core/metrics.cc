#include "core/metrics.h"

#include <algorithm>
#include <cmath>

namespace core {

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::UpperEnd(size_t index) {
  if (index < (size_t{1} << kSubBits)) return index;
  const auto exponent = static_cast<int>((index >> kSubBits) - 1);
  const uint64_t mantissa = (index & ((size_t{1} << kSubBits) - 1)) + (uint64_t{1} << kSubBits);
  return ((mantissa + 1) << exponent) - 1;
}

uint64_t Histogram::CountBelowPower(int exponent) const {
  const size_t end = exponent < 64 ? IndexOf(uint64_t{1} << exponent) : buckets_.size();
  uint64_t count = 0;
  for (size_t i = 0; i < end; ++i) count += buckets_[i];
  return count;
}

uint64_t Histogram::Quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(q * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(UpperEnd(i), max_);
  }
  return max_;
}

}  // namespace core
