#include "broker/put_latency.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/strings.h"

namespace broker {
namespace {

constexpr std::pair<std::string_view, uint64_t> kShown[] = {
    {"[<=0ms]", 1},       {"[0~10ms]", 10},     {"[10~50ms]", 50},     {"[50~100ms]", 100}, {"[100~200ms]", 200},
    {"[200~500ms]", 500}, {"[500ms~1s]", 1000}, {"[1~2s]", 2000},      {"[2~3s]", 3000},    {"[3~4s]", 4000},
    {"[4~5s]", 5000},     {"[5~10s]", 10000},   {"[10s~]", UINT64_MAX}};

}  // namespace

size_t PutLatency::BucketOf(uint64_t millis) {
  return static_cast<size_t>(std::upper_bound(kEnds.begin(), kEnds.end() - 1, millis) - kEnds.begin());
}

PutLatency& PutLatency::operator+=(const PutLatency& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  max_ = std::max(max_, other.max_);
  return *this;
}

PutLatency PutLatency::Since(const PutLatency& earlier) const {
  PutLatency since = *this;
  for (size_t i = 0; i < counts_.size(); ++i) since.counts_[i] -= earlier.counts_[i];
  return since;
}

std::string PutLatency::Distribution() const {
  std::string text;
  size_t i = 0;
  for (const auto& [name, end] : kShown) {
    uint64_t count = 0;
    for (; i < kEnds.size() && kEnds[i] <= end; ++i) count += counts_[i];
    text += core::StrCat(name, ":", count, " ");
  }
  return text;
}

double PutLatency::Quantile(double q) const {
  uint64_t all = 0;
  for (const uint64_t count : counts_) all += count;
  const double wanted = q * static_cast<double>(all);
  double below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    const auto count = static_cast<double>(counts_[i]);
    if (count == 0 || below + count < wanted) {
      below += count;
      continue;
    }
    if (i == 0) return 0;  // less than a millisecond
    const uint64_t begin = kEnds[i - 1];
    const uint64_t end = std::min(kEnds[i], std::max(begin, max_));
    return static_cast<double>(begin) + static_cast<double>(end - begin) * (wanted - below) / count;
  }
  return 0;
}

}  // namespace broker
