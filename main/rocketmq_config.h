#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/time.h"
#include "core/types.h"
#include "store/meta_store.h"
#include "store/tools/meta_reader.h"

namespace ringmq {

// RocketMQ's config/*.json and what RingMQ keeps in its metadata instead. Source: RocketMQ 5.3.3 ConfigManager and its heirs.

/// topics.json, subscriptionGroup.json and consumerOffset.json.
struct RocketMqConfig {
  std::string topics;
  std::string groups;
  std::string offsets;
};

/// What the files of an exported store say. `meta`: of each log, the first has topics and groups. `ends`: the queues that were exported and where
/// they end; an offset beyond is taken back to it, as RocketMQ would pass over what comes next.
RocketMqConfig MakeRocketMqConfig(const std::vector<store::tools::MetaContent>& meta,
                                  const std::map<core::QueueKey, int64_t>& ends, core::WallMillis now);

/// What the files say to a RingMQ folder with `logs` logs: the changes for the metadata of each log. An empty text is a file that is not there.
/// kInvalidArgument names file and entry.
absl::StatusOr<std::vector<std::vector<store::MetaChange>>> ReadRocketMqConfig(const RocketMqConfig& config,
                                                                               uint32_t logs);

/// The topics in topics.json, for who must know before.
absl::StatusOr<std::vector<std::string>> TopicsOf(std::string_view topics_json);

}  // namespace ringmq
