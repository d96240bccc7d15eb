#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/broker_stats.h"
#include "broker/catalog.h"
#include "broker/placement.h"

namespace broker {

/// What sends ask about their topic, kept for the topics of the last sends: one comparison instead of five lookups by name. One shard.
class SendTopics {
 public:
  struct Topic {
    std::string name;
    const TopicConfig* config = nullptr;  // null: nothing is kept here
    uint64_t placement = 0;               // Placement::HashOf
    BrokerStats::Flow* puts = nullptr;
  };

  /// All outlive it.
  SendTopics(const CatalogView& catalog, BrokerStats& stats) : catalog_(catalog), stats_(stats) {}

  /// The topic of that name if there is one and sends to it are not forbidden, else null. Valid until the next suspension.
  const Topic* Find(std::string_view name);

 private:
  static constexpr size_t kTopics = 64;
  static size_t SlotOf(std::string_view name);

  const CatalogView& catalog_;
  BrokerStats& stats_;
  uint64_t catalog_version_ = 0;
  uint64_t stats_version_ = 0;
  std::array<Topic, kTopics> topics_;
};

}  // namespace broker
