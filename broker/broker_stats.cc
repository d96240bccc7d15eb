#include "broker/broker_stats.h"

#include <algorithm>
#include <utility>

namespace broker {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

double SecondsOf(core::MonoTime time) { return static_cast<double>(time.nanos) / kNanosPerSecond; }

/// Sum over two items of one shard, sampled at the same times.
StatsView Both(const FlowItem& a, const FlowItem& b, uint64_t FlowCount::* field = &FlowCount::messages) {
  StatsView sum = a.View(field);
  sum += b.View(field);
  return sum;
}

}  // namespace

BrokerTotals& BrokerTotals::operator+=(const BrokerTotals& other) {
  put += other.put;
  get += other.get;
  user_put += other.user_put;
  user_get += other.user_get;
  found += other.found;
  miss += other.miss;
  put_latency += other.put_latency;
  put_millis_max = std::max(put_millis_max, other.put_millis_max);
  get_millis_max = std::max(get_millis_max, other.get_millis_max);
  put_requests += other.put_requests;
  put_bytes += other.put_bytes;
  put_failed += other.put_failed;
  direct_sends += other.direct_sends;
  put_today_morning += other.put_today_morning;
  put_yesterday_morning += other.put_yesterday_morning;
  get_today_morning += other.get_today_morning;
  get_yesterday_morning += other.get_yesterday_morning;
  return *this;
}

BrokerStats::BrokerStats(core::MonoTime now, BrokerStatsOptions options)
    : options_(std::move(options)),
      sampled_seconds_(SecondsOf(now)),
      put_(sampled_seconds_),
      get_(sampled_seconds_),
      system_put_(sampled_seconds_),
      system_get_(sampled_seconds_),
      miss_(sampled_seconds_) {}

BrokerStats::OfTopic& BrokerStats::Of(std::string_view topic) {
  topic = CountedAs(topic);
  const auto at = topics_.find(topic);
  if (at != topics_.end()) return *at->second;
  auto made = std::make_unique<OfTopic>(OfTopic{.put = {.all = FlowItem(sampled_seconds_),
                                                        .total = options_.is_system(topic) ? &system_put_ : &put_,
                                                        .queues = {}},
                                                .get = {},
                                                .sent_back = {}});
  return *topics_.emplace(std::string(topic), std::move(made)).first->second;
}

FlowItem* BrokerStats::NewQueue(Flow& flow, int32_t queue_id) {
  if (queue_id < 0 || queues_ >= kQueuesMax) return nullptr;
  const auto queue = static_cast<size_t>(queue_id);
  if (queue >= flow.queues.size()) flow.queues.resize(queue + 1);
  flow.queues[queue] = std::make_unique<FlowItem>(sampled_seconds_);
  ++queues_;
  return flow.queues[queue].get();
}

void BrokerStats::OnGet(std::string_view group, std::string_view topic, int32_t queue_id, const Request& handed) {
  OfTopic& of_topic = Of(topic);
  group = CountedAsGroup(group);
  auto at = of_topic.get.find(group);
  if (at == of_topic.get.end()) {
    FlowItem* const total = of_topic.put.total == &system_put_ ? &system_get_ : &get_;
    auto made = std::make_unique<Flow>(Flow{.all = FlowItem(sampled_seconds_), .total = total, .queues = {}});
    at = of_topic.get.emplace(std::string(group), std::move(made)).first;
  }
  Count(*at->second, queue_id, handed.messages, handed.bytes, handed.millis);
  get_millis_max_ = std::max(get_millis_max_, handed.millis);
}

void BrokerStats::OnSendBack(std::string_view group, std::string_view topic) {
  auto& by_group = Of(topic).sent_back;
  group = CountedAsGroup(group);
  auto at = by_group.find(group);
  if (at == by_group.end())
    at = by_group.emplace(std::string(group), std::make_unique<FlowItem>(sampled_seconds_)).first;
  at->second->Add(1, 0, 0);
}

template <typename Fn>
void BrokerStats::ForEachFlow(Fn fn) {
  for (auto& [topic, of_topic] : topics_) {
    fn(of_topic->put);
    for (auto& [group, get] : of_topic->get) fn(*get);
  }
}

template <typename Fn>
void BrokerStats::ForEach(Fn fn) {
  for (FlowItem* item : {&put_, &get_, &system_put_, &system_get_, &miss_}) fn(*item);
  ForEachFlow([&fn](Flow& flow) {
    fn(flow.all);
    for (const std::unique_ptr<FlowItem>& queue : flow.queues) {
      if (queue != nullptr) fn(*queue);
    }
  });
  for (auto& [topic, of_topic] : topics_) {
    for (auto& [group, item] : of_topic->sent_back) fn(*item);
  }
}

void BrokerStats::DropIdleQueues(Flow& flow) {
  for (std::unique_ptr<FlowItem>& queue : flow.queues) {
    if (queue == nullptr || !queue->Idle()) continue;
    queue.reset();
    --queues_;
  }
}

void BrokerStats::Sample(core::MonoTime now, core::WallMillis wall_now) {
  const double seconds = SecondsOf(now);
  const int64_t second = now.nanos / kNanosPerSecond;
  if (const int64_t tick = second / 10; tick != std::exchange(sampled_10s_, tick)) {
    sampled_seconds_ = seconds;
    ForEach([seconds](FlowItem& item) { item.SampleSeconds(seconds); });
  }
  if (const int64_t tick = second / 60; tick != std::exchange(sampled_1min_, tick)) {
    put_latency_minute_ = put_latency_.Since(put_latency_minute_begin_);
    put_latency_minute_begin_ = put_latency_;
  }
  if (const int64_t tick = second / 600; tick != std::exchange(sampled_10min_, tick)) {
    ForEach([seconds](FlowItem& item) { item.SampleMinutes(seconds); });
  }
  if (const int64_t tick = second / 3600; tick != std::exchange(sampled_1h_, tick)) {
    ForEach([seconds](FlowItem& item) { item.SampleHours(seconds); });
    ForEachFlow([this](Flow& flow) { DropIdleQueues(flow); });
  }
  SampleDay(wall_now);
}

void BrokerStats::SampleDay(core::WallMillis wall_now) {
  const absl::CivilDay day(absl::ToCivilSecond(absl::FromUnixMillis(wall_now), options_.time_zone));
  if (day_ == day) return;
  if (day_.has_value()) {  // not at start: both mornings are then 0, as in a broker that counts since its start
    put_yesterday_morning_ = put_today_morning_;
    get_yesterday_morning_ = get_today_morning_;
    put_today_morning_ = put_.sum().messages;
    get_today_morning_ = get_.sum().messages;
  }
  day_ = day;
}

BrokerTotals BrokerStats::Totals() const {
  return {.put = Both(put_, system_put_),
          .get = Both(get_, system_get_),
          .user_put = put_.View(),
          .user_get = get_.View(),
          .found = Both(get_, system_get_, &FlowCount::times),
          .miss = miss_.View(&FlowCount::times),
          .put_latency = put_latency_minute_,
          .put_millis_max = put_latency_.max(),
          .get_millis_max = get_millis_max_,
          .put_requests = put_.sum().times + system_put_.sum().times,
          .put_bytes = put_.sum().bytes + system_put_.sum().bytes,
          .put_failed = put_failed_,
          .direct_sends = direct_sends_,
          .put_today_morning = put_today_morning_,
          .put_yesterday_morning = put_yesterday_morning_,
          .get_today_morning = get_today_morning_,
          .get_yesterday_morning = get_yesterday_morning_};
}

const BrokerStats::OfTopic* BrokerStats::FindTopic(std::string_view topic) const {
  const auto at = topics_.find(CountedAs(topic));
  return at == topics_.end() ? nullptr : at->second.get();
}

const BrokerStats::Flow* BrokerStats::FindGet(std::string_view topic, std::string_view group) const {
  const OfTopic* const of_topic = FindTopic(topic);
  if (of_topic == nullptr) return nullptr;
  const auto flow = of_topic->get.find(CountedAsGroup(group));
  return flow == of_topic->get.end() ? nullptr : flow->second.get();
}

const FlowItem* BrokerStats::FindItem(const StatsQuery& query) const {
  const OfTopic* const of_topic = FindTopic(query.topic);
  if (of_topic == nullptr) return nullptr;
  if (query.of == StatsQuery::Of::kSentBack) {
    const auto at = of_topic->sent_back.find(CountedAsGroup(query.group));
    return at == of_topic->sent_back.end() ? nullptr : at->second.get();
  }
  const Flow* const flow = query.of == StatsQuery::Of::kPut ? &of_topic->put : FindGet(query.topic, query.group);
  if (flow == nullptr || query.queue_id < 0) return flow == nullptr ? nullptr : &flow->all;
  const auto queue = static_cast<size_t>(query.queue_id);
  return queue < flow->queues.size() ? flow->queues[queue].get() : nullptr;
}

std::optional<StatsView> BrokerStats::Find(std::string_view name, std::string_view key) const {
  const std::optional<StatsQuery> query = ParseStatsQuery(name, key);
  if (!query.has_value()) return std::nullopt;
  switch (query->of) {
    case StatsQuery::Of::kBrokerPut:
      return Both(put_, system_put_);
    case StatsQuery::Of::kBrokerGet:
      return Both(get_, system_get_);
    case StatsQuery::Of::kUserPut:
      return put_.View();
    case StatsQuery::Of::kUserGet:
      return get_.View();
    default:
      break;
  }
  const FlowItem* const item = FindItem(*query);
  if (item == nullptr || item->sum().times == 0) return std::nullopt;
  return item->View(query->field);
}

double BrokerStats::PutTps(std::string_view topic) const {
  const OfTopic* const of_topic = FindTopic(topic);
  return of_topic == nullptr ? 0 : of_topic->put.all.View().minute.tps();
}

double BrokerStats::GetTps(std::string_view group, std::string_view topic) const {
  const Flow* get = FindGet(topic, group);
  return get == nullptr ? 0 : get->all.View().minute.tps();
}

void BrokerStats::Forget(const Flow& flow) {
  for (const std::unique_ptr<FlowItem>& queue : flow.queues) queues_ -= queue != nullptr ? 1 : 0;
}

void BrokerStats::ForgetTopic(std::string_view topic) {
  ++topics_forgotten_;
  const auto at = topics_.find(topic);
  if (at == topics_.end()) return;
  Forget(at->second->put);
  for (const auto& [group, get] : at->second->get) Forget(*get);
  topics_.erase(at);
}

void BrokerStats::ForgetGroup(std::string_view group) {
  for (auto& [topic, of_topic] : topics_) {
    of_topic->sent_back.erase(group);
    const auto at = of_topic->get.find(group);
    if (at == of_topic->get.end()) continue;
    Forget(*at->second);
    of_topic->get.erase(at);
  }
}

}  // namespace broker
