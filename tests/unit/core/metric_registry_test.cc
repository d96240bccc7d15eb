#include "core/metric_registry.h"

#include <gtest/gtest.h>

namespace core {
namespace {

TEST(MetricRegistry, WritesEveryNameOnceWithTheSamplesOfAllShards) {
  Budget room;
  room.limit = 10;
  room.used = 3;
  room.hits = 2;
  Budget open;
  MetricRegistry registry;
  registry.Add([&](MetricSink& sink) {
    sink.Counter("a_total", "Things.", 7);
    sink.Counter("b_total", "Ends.", "reason", "idle", 1);
    sink.Counter("b_total", "Ends.", "reason", "late", 1.5);
    sink.Budget("room", room);
    sink.Budget("open", open);
  });
  const std::vector<MetricSource> sources = {{"shard=\"0\"", registry.Collect()}, {"", registry.Collect()}};
  EXPECT_EQ(PrometheusText(sources),
            "# HELP a_total Things.\n# TYPE a_total counter\n"
            "a_total{shard=\"0\"} 7\na_total 7\n"
            "# HELP b_total Ends.\n# TYPE b_total counter\n"
            "b_total{shard=\"0\",reason=\"idle\"} 1\nb_total{shard=\"0\",reason=\"late\"} 1.5\n"
            "b_total{reason=\"idle\"} 1\nb_total{reason=\"late\"} 1.5\n"
            "# HELP ringmq_budget_used How much of the resource is in use.\n# TYPE ringmq_budget_used gauge\n"
            "ringmq_budget_used{shard=\"0\",resource=\"room\"} 3\nringmq_budget_used{shard=\"0\",resource=\"open\"} 0\n"
            "ringmq_budget_used{resource=\"room\"} 3\nringmq_budget_used{resource=\"open\"} 0\n"
            "# HELP ringmq_budget_limit How much of the resource may be in use.\n# TYPE ringmq_budget_limit gauge\n"
            "ringmq_budget_limit{shard=\"0\",resource=\"room\"} 10\nringmq_budget_limit{resource=\"room\"} 10\n"
            "# HELP ringmq_budget_hits_total How often somebody was refused, slowed down or cut off for want of the "
            "resource.\n"
            "# TYPE ringmq_budget_hits_total counter\n"
            "ringmq_budget_hits_total{shard=\"0\",resource=\"room\"} "
            "2\nringmq_budget_hits_total{shard=\"0\",resource=\"open\"} 0\n"
            "ringmq_budget_hits_total{resource=\"room\"} 2\nringmq_budget_hits_total{resource=\"open\"} 0\n");
}

TEST(MetricRegistry, WritesHistogramsInSecondsWithBucketsThatDouble) {
  Histogram times;
  times.Record(1023);
  times.Record(1024, 2);
  times.Record(uint64_t{1} << 40);
  MetricRegistry registry;
  registry.Add([&](MetricSink& sink) { sink.Histogram("h_seconds", "Times.", times, "stage=\"one\""); });
  const std::vector<MetricSource> sources = {{"", registry.Collect()}};
  const std::string text = PrometheusText(sources);
  EXPECT_TRUE(text.starts_with("# HELP h_seconds Times.\n# TYPE h_seconds histogram\n"
                               "h_seconds_bucket{stage=\"one\",le=\"1.024e-06\"} 1\n"
                               "h_seconds_bucket{stage=\"one\",le=\"2.048e-06\"} 3\n"))
      << text;
  EXPECT_NE(text.find("h_seconds_bucket{stage=\"one\",le=\"8.589934592\"} 3\n"
                      "h_seconds_bucket{stage=\"one\",le=\"+Inf\"} 4\n"
                      "h_seconds_sum{stage=\"one\"} 1099.5"),
            std::string::npos)
      << text;
  EXPECT_TRUE(text.ends_with("h_seconds_count{stage=\"one\"} 4\n")) << text;
}

TEST(Budget, IsScarceBeforeItIsFull) {
  Budget budget;
  EXPECT_FALSE(budget.scarce());
  budget.limit = 4;
  budget.used = 2;
  EXPECT_TRUE(budget.scarce());
  EXPECT_FALSE(budget.full());
  budget.used = 5;
  EXPECT_TRUE(budget.full());
}

}  // namespace
}  // namespace core
