#include "broker/creation_limits.h"

#include <algorithm>

#include "core/strings.h"

namespace broker {
namespace {

absl::Status Full(int64_t there, std::string_view what, std::string_view key, int64_t limit) {
  return absl::ResourceExhaustedError(core::StrCat("there are ", there, " ", what, ", and ", key, " of this broker is ",
                                                   limit, ": delete some, or raise it and start the broker anew"));
}

}  // namespace

absl::Status CheckRoomForTopic(const Catalog& catalog, const TopicConfig& topic, const CreationLimits& limits) {
  const CatalogCounts& counts = catalog.counts();
  const TopicConfig* present = catalog.FindTopic(topic.name);
  if (present == nullptr && IsInternalTopic(topic.name)) {
    if (counts.internal_topics >= 2 * limits.groups) {
      return Full(counts.internal_topics, "topics for retries and dead letters", "twice subscriptionGroupsMax",
                  2 * limits.groups);
    }
  } else if (present == nullptr && counts.topics >= limits.topics) {
    return Full(counts.topics, "topics", "topicsMax", limits.topics);
  }
  const int64_t before = present == nullptr ? 0 : present->queues();
  if (topic.queues() > before && counts.queues - before + topic.queues() > limits.queues) {
    return Full(counts.queues, core::StrCat("queues, this would make it ", counts.queues - before + topic.queues()),
                "queuesMax", limits.queues);
  }
  return absl::OkStatus();
}

absl::Status CheckRoomForGroup(const Catalog& catalog, const GroupConfig& group, const CreationLimits& limits) {
  if (catalog.counts().groups < limits.groups || catalog.FindGroup(group.name) != nullptr) return absl::OkStatus();
  return Full(catalog.counts().groups, "subscription groups", "subscriptionGroupsMax", limits.groups);
}

bool CreationRate::Take(core::MonoTime now) {
  const auto most = static_cast<double>(per_minute_);
  left_ = std::min(most, left_ + most * absl::FDivDuration(now - filled_, absl::Minutes(1)));
  filled_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

}  // namespace broker
