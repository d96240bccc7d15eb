#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/options.h"
#include "core/io.h"
#include "core/task.h"

namespace bench {

struct Answer {
  int32_t code = 0;
  std::string header;
  std::string body;
};

/// One request on a connection of its own: for what happens once, before the load. Fails on a response code other than 0.
core::Task<absl::StatusOr<Answer>> CallOnce(core::Endpoint to, int32_t code,
                                            std::vector<std::pair<std::string, std::string>> fields);

/// The broker that the options name, or the first master of the nameserver's cluster.
core::Task<absl::StatusOr<core::Endpoint>> FindBroker(const Options& options);
/// Makes the topics with the wanted number of queues (UPDATE_AND_CREATE_TOPIC).
core::Task<absl::Status> CreateTopics(const Options& options, core::Endpoint broker);
/// GET_MAX_OFFSET (30) or GET_MIN_OFFSET (31) of each queue.
core::Task<absl::StatusOr<std::vector<int64_t>>> QueueOffsets(const Options& options, core::Endpoint broker, int32_t code);

}  // namespace bench
