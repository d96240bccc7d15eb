#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/stats_item.h"
#include "broker/string_map.h"
#include "core/time.h"

namespace broker {

/// Sums of one shard's counters that request 28 shows; those of the broker are the sums over its shards.
struct BrokerTotals {
  StatsView put;   // messages
  StatsView get;   // messages handed out
  StatsView found;  // pulls that found something
  StatsView miss;   // pulls that did not
  uint64_t put_requests = 0;
  uint64_t put_bytes = 0;
  uint64_t put_failed = 0;
  uint64_t direct_sends = 0;  // among the requests, those of SendLane
  uint64_t put_today_morning = 0;  // totals at the last two midnights
  uint64_t put_yesterday_morning = 0;
  uint64_t get_today_morning = 0;
  uint64_t get_yesterday_morning = 0;
  BrokerTotals& operator+=(const BrokerTotals& other);
};

/// What one shard has counted of sends and pulls. The counting calls are for the hot path: one or two lookups a request, no allocation once topic and group are
/// known. One shard.
class BrokerStats {
 public:
  /// What came in, or went out, of one thing.
  struct Flow {
    explicit Flow(double seconds) : messages(seconds), bytes(seconds) {}
    StatsItem messages;
    StatsItem bytes;
  };

  /// Counts from `now` on.
  explicit BrokerStats(core::MonoTime now);

  /// Messages stored by one request.
  void OnPut(std::string_view topic, uint64_t messages, uint64_t bytes) { OnPut(PutsOf(topic), messages, bytes); }
  /// The same for who has looked the topic up before. `puts` is good as long as topics_forgotten() stays what it was.
  void OnPut(Flow& puts, uint64_t messages, uint64_t bytes);
  Flow& PutsOf(std::string_view topic) { return Of(topic).put; }
  uint64_t topics_forgotten() const { return topics_forgotten_; }
  /// Sends that went by SendLane.
  void OnDirectSend() { ++direct_sends_; }
  /// A send that was refused or failed.
  void OnPutFailed() { ++put_failed_; }
  /// Messages handed to a consumer by one pull.
  void OnGet(std::string_view group, std::string_view topic, uint64_t messages, uint64_t bytes);
  /// A pull that found nothing.
  void OnGetMiss() { miss_.Add(1, 1); }

  /// Takes the samples that are due; called about every second.
  void Sample(core::MonoTime now, core::WallMillis wall_now);

  BrokerTotals Totals() const;
  /// One key of request 315, by RocketMQ's names ("TOPIC_PUT_NUMS", topic; "GROUP_GET_NUMS", topic@group; ...); nullopt: never counted here.
  /// BROKER_PUT_NUMS and BROKER_GET_NUMS have the cluster's name as key, which the caller has checked.
  std::optional<StatsView> Find(std::string_view name, std::string_view key) const;
  /// Messages a second of the last minute.
  double PutTps(std::string_view topic) const;
  double GetTps(std::string_view group, std::string_view topic) const;

  void ForgetTopic(std::string_view topic) {
    topics_.erase(topic);
    ++topics_forgotten_;
  }
  void ForgetGroup(std::string_view group);

 private:
  struct OfTopic {
    explicit OfTopic(double seconds) : put(seconds) {}
    Flow put;
    StringMap<std::unique_ptr<Flow>> get;  // by group
  };
  OfTopic& Of(std::string_view topic);
  const Flow* FindGet(std::string_view topic, std::string_view group) const;
  template <typename Fn>
  void ForEach(Fn fn);

  double sampled_seconds_;  // when the newest samples were taken: what is new since was 0 then
  StringMap<std::unique_ptr<OfTopic>> topics_;
  Flow put_;
  Flow get_;
  StatsItem found_;
  StatsItem miss_;
  uint64_t put_requests_ = 0;
  uint64_t put_failed_ = 0;
  uint64_t direct_sends_ = 0;
  uint64_t topics_forgotten_ = 1;
  int64_t sampled_10s_ = -1;  // ticks of the clock already sampled
  int64_t sampled_10min_ = -1;
  int64_t sampled_1h_ = -1;
  int64_t day_ = -1;
  uint64_t put_today_morning_ = 0;
  uint64_t put_yesterday_morning_ = 0;
  uint64_t get_today_morning_ = 0;
  uint64_t get_yesterday_morning_ = 0;
};

}  // namespace broker
