#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "broker/lmq.h"
#include "broker/put_latency.h"
#include "broker/stats_item.h"
#include "broker/stats_query.h"
#include "broker/string_map.h"
#include "core/time.h"

namespace broker {

/// Sums of one shard's counters that request 28 shows; those of the broker are the sums over its shards.
struct BrokerTotals {
  StatsView put;       // messages
  StatsView get;       // messages handed out
  StatsView user_put;  // of these, those of topics that are not the broker's own
  StatsView user_get;
  StatsView found;  // pulls that found something
  StatsView miss;   // pulls that did not
  PutLatency put_latency;  // of the last whole minute
  uint64_t put_millis_max = 0;
  uint64_t get_millis_max = 0;
  uint64_t put_requests = 0;
  uint64_t put_bytes = 0;
  uint64_t put_failed = 0;
  uint64_t direct_sends = 0;       // among the requests, those of SendLane
  uint64_t put_today_morning = 0;  // user messages: totals at the last two midnights
  uint64_t put_yesterday_morning = 0;
  uint64_t get_today_morning = 0;
  uint64_t get_yesterday_morning = 0;
  BrokerTotals& operator+=(const BrokerTotals& other);
};

struct BrokerStatsOptions {
  /// Whether a topic is one of the broker's own, which the counts of users leave out.
  std::function<bool(std::string_view topic)> is_system = [](std::string_view) { return false; };
  /// Light queues count as one: %LMQ%. Groups that are named like them do in any case. Source: RocketMQ 5.3.3 LmqBrokerStatsManager.
  bool lmqs_together = false;
  /// Where today begins.
  absl::TimeZone time_zone = absl::UTCTimeZone();
};

/// What one shard has counted of sends and pulls. The counting calls are for the hot path: one or two lookups a request, no allocation once topic, queue and
/// group are known. One shard.
class BrokerStats {
 public:
  /// Queues that are told apart, each for what comes in and for what goes out to each group; about 1.5 KiB each. What is beyond counts for its topic
  /// and group alone. One that has been idle for a day makes room.
  static constexpr size_t kQueuesMax = 4096;

  static constexpr int32_t kNoQueue = -1;  // in none that users know

  /// What one request has stored or was given.
  struct Request {
    uint64_t messages = 0;
    uint64_t bytes = 0;
    uint64_t millis = 0;  // that it took
  };

  /// What comes in, or goes out, of one topic.
  struct Flow {
    FlowItem all;
    FlowItem* total;                                // of the broker, which counts along
    std::vector<std::unique_ptr<FlowItem>> queues;  // by queue id
  };

  /// Counts from `now` on.
  explicit BrokerStats(core::MonoTime now, BrokerStatsOptions options = {});

  /// What one request has stored in a queue, or kNoQueue.
  void OnPut(std::string_view topic, int32_t queue_id, const Request& stored) {
    OnPut(PutsOf(topic), queue_id, stored);
  }
  /// The same for who has looked the topic up before. `puts` is good as long as topics_forgotten() stays what it was.
  void OnPut(Flow& puts, int32_t queue_id, const Request& stored) {
    Count(puts, queue_id, stored.messages, stored.bytes, stored.millis);
    put_latency_.Record(stored.millis);
  }
  /// The broker itself has put a message there whose time had come, or that was committed.
  void OnDelivered(std::string_view topic, int32_t queue_id, uint64_t bytes) {
    Count(PutsOf(topic), queue_id, 1, bytes, 0);
  }
  Flow& PutsOf(std::string_view topic) { return Of(topic).put; }
  uint64_t topics_forgotten() const { return topics_forgotten_; }
  /// Sends that went by SendLane.
  void OnDirectSend() { ++direct_sends_; }
  /// A send that was refused or failed.
  void OnPutFailed() { ++put_failed_; }
  /// Messages handed to a consumer by one pull.
  void OnGet(std::string_view group, std::string_view topic, int32_t queue_id, const Request& handed);
  /// A pull that found nothing.
  void OnGetMiss() { miss_.Add(0, 0, 0); }
  /// A consumer has sent a message of the topic back.
  void OnSendBack(std::string_view group, std::string_view topic);

  /// Takes the samples that are due; called about every second.
  void Sample(core::MonoTime now, core::WallMillis wall_now);

  BrokerTotals Totals() const;
  /// One key of request 315, by RocketMQ's names ("TOPIC_PUT_NUMS", topic; "GROUP_GET_NUMS", topic@group; ...); nullopt: never counted here.
  /// The names that begin with BROKER_ have the cluster's name as key, which the caller has checked.
  std::optional<StatsView> Find(std::string_view name, std::string_view key) const;
  /// Messages a second of the last minute.
  double PutTps(std::string_view topic) const;
  double GetTps(std::string_view group, std::string_view topic) const;

  void ForgetTopic(std::string_view topic);
  void ForgetGroup(std::string_view group);

 private:
  struct OfTopic {
    Flow put;
    StringMap<std::unique_ptr<Flow>> get;            // by group
    StringMap<std::unique_ptr<FlowItem>> sent_back;  // by group
  };
  std::string_view CountedAs(std::string_view topic) const { return options_.lmqs_together && IsLmq(topic) ? net::kLmqPrefix : topic; }
  /// Of groups there may be any number.
  static std::string_view CountedAsGroup(std::string_view group) { return IsLmq(group) ? net::kLmqPrefix : group; }
  OfTopic& Of(std::string_view topic);
  const OfTopic* FindTopic(std::string_view topic) const;
  const Flow* FindGet(std::string_view topic, std::string_view group) const;
  const FlowItem* FindItem(const StatsQuery& query) const;
  void Count(Flow& flow, int32_t queue_id, uint64_t messages, uint64_t bytes, uint64_t millis) {
    flow.all.Add(messages, bytes, millis);
    flow.total->Add(messages, bytes, millis);
    const auto queue = static_cast<size_t>(queue_id);
    FlowItem* const of_queue = queue < flow.queues.size() ? flow.queues[queue].get() : nullptr;
    if (FlowItem* const item = of_queue != nullptr ? of_queue : NewQueue(flow, queue_id))
      item->Add(messages, bytes, millis);
  }
  /// Null: it is not told apart.
  FlowItem* NewQueue(Flow& flow, int32_t queue_id);
  void SampleDay(core::WallMillis wall_now);
  void DropIdleQueues(Flow& flow);
  void Forget(const Flow& flow);
  template <typename Fn>
  void ForEachFlow(Fn fn);
  template <typename Fn>
  void ForEach(Fn fn);

  const BrokerStatsOptions options_;
  double sampled_seconds_;  // when the newest samples were taken: what is new since was 0 then
  StringMap<std::unique_ptr<OfTopic>> topics_;
  size_t queues_ = 0;  // FlowItems of queues
  FlowItem put_;       // into the topics of users
  FlowItem get_;
  FlowItem system_put_;
  FlowItem system_get_;
  FlowItem miss_;
  PutLatency put_latency_;
  PutLatency put_latency_minute_begin_;
  PutLatency put_latency_minute_;  // of the last whole one
  uint64_t get_millis_max_ = 0;
  uint64_t put_failed_ = 0;
  uint64_t direct_sends_ = 0;
  uint64_t topics_forgotten_ = 1;
  int64_t sampled_10s_ = -1;  // ticks of the clock already sampled
  int64_t sampled_1min_ = -1;
  int64_t sampled_10min_ = -1;
  int64_t sampled_1h_ = -1;
  std::optional<absl::CivilDay> day_;
  uint64_t put_today_morning_ = 0;
  uint64_t put_yesterday_morning_ = 0;
  uint64_t get_today_morning_ = 0;
  uint64_t get_yesterday_morning_ = 0;
};

}  // namespace broker
