#include "broker/runtime_info.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "absl/strings/str_format.h"
#include "net/frame.h"

namespace broker {
namespace {

using Table = std::map<std::string, std::string>;

std::string Decimal(double value) { return absl::StrFormat("%.2f", value); }

/// "10 s, 60 s and 600 s", of which tools read the first.
std::string Rates(const StatsView& view) {
  return absl::StrFormat("%.2f %.2f %.2f", view.ten_seconds.tps(), view.minute.tps(), view.ten_minutes.tps());
}

StatsView Sum(const StatsView& a, const StatsView& b) {
  StatsView sum = a;
  sum += b;
  return sum;
}

void AddCounters(const BrokerTotals& totals, Table& table) {
  const uint64_t puts = totals.put.total;
  table["putTps"] = Rates(totals.put);
  table["getFoundTps"] = Rates(totals.found);
  table["getMissTps"] = Rates(totals.miss);
  table["getTotalTps"] = Rates(Sum(totals.found, totals.miss));
  table["getTransferredTps"] = Rates(totals.get);
  table["getTransferedTps"] = table["getTransferredTps"];  // as RocketMQ 4.9's tools spell it
  table["msgPutTotalYesterdayMorning"] = std::to_string(totals.put_yesterday_morning);
  table["msgPutTotalTodayMorning"] = std::to_string(totals.put_today_morning);
  table["msgPutTotalTodayNow"] = std::to_string(totals.user_put.total);
  table["msgGetTotalYesterdayMorning"] = std::to_string(totals.get_yesterday_morning);
  table["msgGetTotalTodayMorning"] = std::to_string(totals.get_today_morning);
  table["msgGetTotalTodayNow"] = std::to_string(totals.user_get.total);
  table["putMessageTimesTotal"] = std::to_string(totals.put_requests);
  table["putMessageFailedTimes"] = std::to_string(totals.put_failed);
  table["putMessageSizeTotal"] = std::to_string(totals.put_bytes);
  table["putMessageAverageSize"] =
      Decimal(puts == 0 ? 0 : static_cast<double>(totals.put_bytes) / static_cast<double>(puts));
  table["putMessageDistributeTime"] = totals.put_latency.Distribution();
  table["putLatency99"] = Decimal(totals.put_latency.Quantile(0.99));
  table["putLatency999"] = Decimal(totals.put_latency.Quantile(0.999));
  table["putMessageEntireTimeMax"] = std::to_string(totals.put_millis_max);
  table["getMessageEntireTimeMax"] = std::to_string(totals.get_millis_max);
}

void AddStore(const std::vector<ShardRuntime>& shards, Table& table) {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t durable = 0;
  double disk_ratio = 0;
  double disk_total_gib = 0;  // all logs lie on one disk
  double disk_free_gib = 0;
  core::WallMillis earliest = -1;
  std::string failure;
  for (const ShardRuntime& shard : shards) {
    begin += shard.store.log_begin;
    end += shard.store.log_end;
    durable += std::min(shard.store.durable_end, shard.store.log_end);
    disk_ratio = std::max(disk_ratio, shard.store.disk_used_ratio);
    disk_total_gib = static_cast<double>(shard.store.disk_total_bytes) / (1 << 30);
    disk_free_gib = static_cast<double>(shard.store.disk_free_bytes) / (1 << 30);
    if (shard.store.earliest_store_time >= 0) {
      earliest = earliest < 0 ? shard.store.earliest_store_time : std::min(earliest, shard.store.earliest_store_time);
    }
    if (failure.empty()) failure = shard.store.failure;
  }
  table["commitLogMinOffset"] = std::to_string(begin);
  table["commitLogMaxOffset"] = std::to_string(end);
  table["commitLogDirCapacity"] = absl::StrFormat("Total : %.1f GiB, Free : %.1f GiB.", disk_total_gib, disk_free_gib);
  table["commitLogDiskRatio"] = Decimal(disk_ratio);
  table["consumeQueueDiskRatio"] = Decimal(disk_ratio);  // queue indexes lie beside the logs
  table["remainHowManyDataToFlush"] = absl::StrFormat("%d B", end - durable);
  table["remainHowManyDataToCommit"] = "0 B";
  table["earliestMessageTimeStamp"] = std::to_string(earliest);
  if (!failure.empty()) table["storeFailure"] = failure;
}

}  // namespace

std::string FormatRuntime(int64_t millis) {
  const int64_t seconds = std::max<int64_t>(0, millis) / 1000;
  return absl::StrFormat("[ %d days, %d hours, %d minutes, %d seconds ]", seconds / 86400, seconds / 3600 % 24,
                         seconds / 60 % 60, seconds % 60);
}

std::map<std::string, std::string> RuntimeInfo(const std::vector<ShardRuntime>& shards, const RuntimeMoment& moment) {
  BrokerTotals totals;
  uint64_t connections = 0;
  uint64_t held_pulls = 0;
  uint64_t stalls = 0;
  uint64_t waiting = 0;
  for (const ShardRuntime& shard : shards) {
    totals += shard.totals;
    connections += shard.connections;
    held_pulls += shard.held_pulls;
    stalls += shard.stalls;
    waiting += shard.waiting;
  }
  Table table;
  table["brokerVersion"] = std::to_string(net::kOurVersion);
  table["brokerVersionDesc"] = "V5_3_3";
  table["brokerActive"] = "true";
  table["bootTimestamp"] = std::to_string(moment.boot);
  table["startAcceptSendRequestTimeStamp"] = "0";
  table["runtime"] = FormatRuntime(moment.now - moment.boot);
  AddCounters(totals, table);
  AddStore(shards, table);
  table["shards"] = std::to_string(shards.size());
  table["connections"] = std::to_string(connections);
  table["pullsHeld"] = std::to_string(held_pulls);
  table["reactorStalls"] = std::to_string(stalls);
  table["timerCongestNum"] = std::to_string(waiting);
  // No thread pools with queues, no page cache under a lock, no way from the log to an index that could fall behind.
  for (const char* pool : {"sendThreadPool", "pullThreadPool", "litePullThreadPool", "queryThreadPool", "ackThreadPool"}) {
    table[std::string(pool) + "QueueSize"] = "0";
    table[std::string(pool) + "QueueCapacity"] = "0";
    table[std::string(pool) + "QueueHeadWaitTimeMills"] = "0";
  }
  for (const char* zero : {"EndTransactionQueueSize", "EndTransactionThreadPoolQueueCapacity", "pageCacheLockTimeMills",
                           "dispatchBehindBytes", "dispatchMaxBuffer", "remainTransientStoreBufferNumbs",
                           "timerReadBehind", "timerOffsetBehind"}) {
    table[zero] = "0";
  }
  for (const char* zero : {"timerEnqueueTps", "timerDequeueTps"}) table[zero] = "0.0";
  return table;
}

}  // namespace broker
