#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "broker/catalog.h"
#include "core/time.h"

namespace broker {

/// How much may be made on a broker: what is there costs memory on every shard, and anybody may make topics and groups by using them. More than
/// that can be there (made under other limits, or imported): it stays, and nothing is added.
struct CreationLimits {
  int64_t topics = 10'000;  // without %RETRY% and %DLQ%, of which there may be one each for each group
  int64_t groups = 10'000;
  int64_t queues = 100'000;                  // of all topics
  int64_t automatic_topics_per_minute = 64;  // made by sends; administrators make as many as they like
};

/// Whether `topic` may be put into the catalog, anew or in the place of what has its name. kResourceExhausted names the limit.
absl::Status CheckRoomForTopic(const Catalog& catalog, const TopicConfig& topic, const CreationLimits& limits);
absl::Status CheckRoomForGroup(const Catalog& catalog, const GroupConfig& group, const CreationLimits& limits);

/// A bucket that holds a minute's worth and is filled evenly. One shard; time is handed in.
class CreationRate {
 public:
  explicit CreationRate(int64_t per_minute) : per_minute_(per_minute), left_(static_cast<double>(per_minute)) {}
  /// Takes one; false when there is none.
  bool Take(core::MonoTime now);

 private:
  const int64_t per_minute_;
  double left_;
  core::MonoTime filled_{INT64_MIN / 2};
};

}  // namespace broker
