#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker/stats_item.h"

namespace broker {

/// What request 315 asks for, in parts. The text points into the key.
struct StatsQuery {
  enum class Of { kPut, kGet, kSentBack, kBrokerPut, kBrokerGet, kUserPut, kUserGet };
  Of of = Of::kPut;
  uint64_t FlowCount::* field = nullptr;
  std::string_view topic;
  std::string_view group;
  int32_t queue_id = -1;  // -1: all queues
};

/// nullopt: a name that is not counted here, or a key that it does not have. Names and keys: RocketMQ 5.3.3 BrokerStatsManager.
std::optional<StatsQuery> ParseStatsQuery(std::string_view name, std::string_view key);

}  // namespace broker
