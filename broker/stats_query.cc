#include "broker/stats_query.h"

#include <array>
#include <cstddef>

#include "absl/strings/numbers.h"
#include "core/strings.h"

namespace broker {
namespace {

using Of = StatsQuery::Of;

struct StatsName {
  std::string_view name;
  std::string_view key;  // its parts in their order, with '@' between them: Topic, Queue id, Group, Cluster
  Of of;
  uint64_t FlowCount::* field;
};

constexpr StatsName kNames[] = {
    {"TOPIC_PUT_NUMS", "T", Of::kPut, &FlowCount::messages},
    {"TOPIC_PUT_SIZE", "T", Of::kPut, &FlowCount::bytes},
    {"TOPIC_PUT_LATENCY", "QT", Of::kPut, &FlowCount::millis},
    {"QUEUE_PUT_NUMS", "TQ", Of::kPut, &FlowCount::messages},
    {"QUEUE_PUT_SIZE", "TQ", Of::kPut, &FlowCount::bytes},
    {"GROUP_GET_NUMS", "TG", Of::kGet, &FlowCount::messages},
    {"GROUP_GET_SIZE", "TG", Of::kGet, &FlowCount::bytes},
    {"GROUP_GET_LATENCY", "QTG", Of::kGet, &FlowCount::millis},
    {"GROUP_GET_LATENCY", "TG", Of::kGet, &FlowCount::millis},  // RocketMQ without enableDetailStat
    {"QUEUE_GET_NUMS", "TQG", Of::kGet, &FlowCount::messages},
    {"QUEUE_GET_SIZE", "TQG", Of::kGet, &FlowCount::bytes},
    {"SNDBCK_PUT_NUMS", "TG", Of::kSentBack, &FlowCount::messages},
    {"BROKER_PUT_NUMS", "C", Of::kBrokerPut, &FlowCount::messages},
    {"BROKER_GET_NUMS", "C", Of::kBrokerGet, &FlowCount::messages},
    {"BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC", "C", Of::kUserPut, &FlowCount::messages},
    {"BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC", "C", Of::kUserGet, &FlowCount::messages},
};

/// Fills in what the key says. False: it has other parts. No name contains '@'.
bool ParseKey(std::string_view parts, std::string_view key, StatsQuery& query) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t at = key.find('@');
    const bool last = i + 1 == parts.size();
    if (last != (at == std::string_view::npos)) return false;
    const std::string_view part = key.substr(0, at);
    if (!last) key.remove_prefix(at + 1);
    switch (parts[i]) {
      case 'T':
        query.topic = part;
        break;
      case 'G':
        query.group = part;
        break;
      case 'Q':
        if (!absl::SimpleAtoi(core::ToAbsl(part), &query.queue_id) || query.queue_id < 0) return false;
        break;
      default:  // the cluster, which the caller has checked
        break;
    }
  }
  return true;
}

}  // namespace

std::optional<StatsQuery> ParseStatsQuery(std::string_view name, std::string_view key) {
  for (const StatsName& known : kNames) {
    if (known.name != name) continue;
    StatsQuery query;
    query.of = known.of;
    query.field = known.field;
    if (ParseKey(known.key, key, query)) return query;
  }
  return std::nullopt;
}

}  // namespace broker
