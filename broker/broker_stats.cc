#include "broker/broker_stats.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace broker {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

double SecondsOf(core::MonoTime time) { return static_cast<double>(time.nanos) / static_cast<double>(kNanosPerSecond); }

}  // namespace

BrokerTotals& BrokerTotals::operator+=(const BrokerTotals& other) {
  put += other.put;
  get += other.get;
  found += other.found;
  miss += other.miss;
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

BrokerStats::BrokerStats(core::MonoTime now)
    : sampled_seconds_(SecondsOf(now)),
      put_(sampled_seconds_),
      get_(sampled_seconds_),
      found_(sampled_seconds_),
      miss_(sampled_seconds_) {}

BrokerStats::OfTopic& BrokerStats::Of(std::string_view topic) {
  const auto at = topics_.find(topic);
  if (at != topics_.end()) return *at->second;
  return *topics_.emplace(std::string(topic), std::make_unique<OfTopic>(sampled_seconds_)).first->second;
}

void BrokerStats::OnPut(Flow& puts, uint64_t messages, uint64_t bytes) {
  puts.messages.Add(messages, 1);
  puts.bytes.Add(bytes, 1);
  put_.messages.Add(messages, 1);
  put_.bytes.Add(bytes, 1);
  ++put_requests_;
}

void BrokerStats::OnGet(std::string_view group, std::string_view topic, uint64_t messages, uint64_t bytes) {
  auto& by_group = Of(topic).get;
  auto at = by_group.find(group);
  if (at == by_group.end()) at = by_group.emplace(std::string(group), std::make_unique<Flow>(sampled_seconds_)).first;
  at->second->messages.Add(messages, 1);
  at->second->bytes.Add(bytes, 1);
  get_.messages.Add(messages, 1);
  get_.bytes.Add(bytes, 1);
  found_.Add(1, 1);
}

template <typename Fn>
void BrokerStats::ForEach(Fn fn) {
  const auto flow = [&fn](Flow& one) {
    fn(one.messages);
    fn(one.bytes);
  };
  flow(put_);
  flow(get_);
  fn(found_);
  fn(miss_);
  for (auto& [topic, of_topic] : topics_) {
    flow(of_topic->put);
    for (auto& [group, get] : of_topic->get) flow(*get);
  }
}

void BrokerStats::Sample(core::MonoTime now, core::WallMillis wall_now) {
  const double seconds = SecondsOf(now);
  const int64_t second = now.nanos / kNanosPerSecond;
  if (const int64_t tick = second / 10; tick != std::exchange(sampled_10s_, tick)) {
    sampled_seconds_ = seconds;
    ForEach([seconds](StatsItem& item) { item.SampleSeconds(seconds); });
  }
  if (const int64_t tick = second / 600; tick != std::exchange(sampled_10min_, tick)) {
    ForEach([seconds](StatsItem& item) { item.SampleMinutes(seconds); });
  }
  if (const int64_t tick = second / 3600; tick != std::exchange(sampled_1h_, tick)) {
    ForEach([seconds](StatsItem& item) { item.SampleHours(seconds); });
  }
  constexpr int64_t kDayMillis = int64_t{24} * 3600 * 1000;
  if (const int64_t day = wall_now / kDayMillis; day != day_) {
    if (day_ >= 0) {  // not at start: both mornings are then 0, as in a broker that counts since its start
      put_yesterday_morning_ = put_today_morning_;
      get_yesterday_morning_ = get_today_morning_;
      put_today_morning_ = put_.messages.sum();
      get_today_morning_ = get_.messages.sum();
    }
    day_ = day;
  }
}

BrokerTotals BrokerStats::Totals() const {
  return {.put = put_.messages.View(),
          .get = get_.messages.View(),
          .found = found_.View(),
          .miss = miss_.View(),
          .put_requests = put_requests_,
          .put_bytes = put_.bytes.sum(),
          .put_failed = put_failed_,
          .direct_sends = direct_sends_,
          .put_today_morning = put_today_morning_,
          .put_yesterday_morning = put_yesterday_morning_,
          .get_today_morning = get_today_morning_,
          .get_yesterday_morning = get_yesterday_morning_};
}

const BrokerStats::Flow* BrokerStats::FindGet(std::string_view topic, std::string_view group) const {
  const auto of_topic = topics_.find(topic);
  if (of_topic == topics_.end()) return nullptr;
  const auto flow = of_topic->second->get.find(group);
  return flow == of_topic->second->get.end() ? nullptr : flow->second.get();
}

std::optional<StatsView> BrokerStats::Find(std::string_view name, std::string_view key) const {
  const auto view = [](const StatsItem& item) -> std::optional<StatsView> {
    if (item.sum() == 0) return std::nullopt;
    return item.View();
  };
  if (name == "BROKER_PUT_NUMS") return view(put_.messages);
  if (name == "BROKER_GET_NUMS") return view(get_.messages);
  if (name == "TOPIC_PUT_NUMS" || name == "TOPIC_PUT_SIZE") {
    const auto of_topic = topics_.find(key);
    if (of_topic == topics_.end()) return std::nullopt;
    const Flow& put = of_topic->second->put;
    return view(name == "TOPIC_PUT_NUMS" ? put.messages : put.bytes);
  }
  if (name == "GROUP_GET_NUMS" || name == "GROUP_GET_SIZE") {
    const size_t at = key.find('@');  // no name contains one
    if (at == std::string_view::npos) return std::nullopt;
    const Flow* get = FindGet(key.substr(0, at), key.substr(at + 1));
    if (get == nullptr) return std::nullopt;
    return view(name == "GROUP_GET_NUMS" ? get->messages : get->bytes);
  }
  return std::nullopt;
}

double BrokerStats::PutTps(std::string_view topic) const {
  const auto at = topics_.find(topic);
  return at == topics_.end() ? 0 : at->second->put.messages.View().minute.tps();
}

double BrokerStats::GetTps(std::string_view group, std::string_view topic) const {
  const Flow* get = FindGet(topic, group);
  return get == nullptr ? 0 : get->messages.View().minute.tps();
}

void BrokerStats::ForgetGroup(std::string_view group) {
  for (auto& [topic, of_topic] : topics_) of_topic->get.erase(group);
}

}  // namespace broker
