#include "broker/lmq.h"

#include <algorithm>

#include "core/strings.h"

namespace broker {

// Names are spread by their hashes, so the parts are not alike: an eighth more, and some for few queues.
LmqQueues::LmqQueues(int64_t max, size_t shards) : max_(std::min(static_cast<size_t>(max), static_cast<size_t>(max) / shards * 9 / 8 + 16)) {}

void LmqQueues::Load(const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    if (IsLmq(topic)) known_.try_emplace(topic, true);
  }
}

absl::Status LmqQueues::Admit(std::string_view topic) {
  if (known_.contains(topic)) return absl::OkStatus();
  if (known_.size() >= max_) {
    return absl::FailedPreconditionError(core::StrCat(
        "[LMQ_CONSUME_QUEUE_NUM_EXCEEDED] ", topic, " would be one light message queue too many: maxLmqConsumeQueueNum of this broker, of which a shard has ",
        max_, ". Raise it, or delete topics %LMQ%... that are not used any more"));
  }
  known_.try_emplace(std::string(topic), true);
  return absl::OkStatus();
}

void LmqQueues::Forget(std::string_view topic) {
  if (const auto at = known_.find(topic); at != known_.end()) known_.erase(at);
}

}  // namespace broker
