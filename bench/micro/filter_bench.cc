// Question: what does it cost to judge one message by a SQL92 expression, beside taking its record apart, and to compile the expression?
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "broker/message_properties.h"
#include "broker/sql/filter.h"
#include "core/assert.h"

namespace bench {
namespace {

/// What expressions look like: by tag, by one number, and one that looks at most of what a message has.
constexpr std::string_view kExpressions[] = {
    "TAGS = 'TagB'",
    "amount > 100",
    "TAGS IN ('TagA', 'TagB', 'TagC') AND amount BETWEEN 5 AND 500 AND (region = 'eu-west-1' OR region STARTSWITH "
    "'us-') AND note IS NULL",
};

/// The properties that a Java client sends, and three of the application's.
std::string Properties() {
  std::string text;
  broker::AppendProperty(text, "UNIQ_KEY", "7F000001000078BF0000000000000261");
  broker::AppendProperty(text, "WAIT", "true");
  broker::AppendProperty(text, "TAGS", "TagB");
  broker::AppendProperty(text, "KEYS", "order-4711");
  broker::AppendProperty(text, "amount", "250");
  broker::AppendProperty(text, "region", "us-east-2");
  broker::AppendProperty(text, "MSG_REGION", "DefaultRegion");
  broker::AppendProperty(text, "TRACE_ON", "true");
  broker::AppendProperty(text, "CLUSTER", "DefaultCluster");
  return text;
}

void BM_Matches(benchmark::State& state) {
  const auto filter = broker::sql::Filter::Compile(kExpressions[state.range(0)]);
  CORE_ASSERT(filter.ok());
  const std::string properties = Properties();
  CORE_ASSERT((*filter)->Matches(properties));
  for (auto _ : state) benchmark::DoNotOptimize((*filter)->Matches(properties));
  state.SetItemsProcessed(state.iterations());
  state.SetLabel(std::string(kExpressions[state.range(0)].substr(0, 40)));
}
BENCHMARK(BM_Matches)->ArgName("expression")->DenseRange(0, 2);

void BM_Compile(benchmark::State& state) {
  for (auto _ : state) {
    const auto filter = broker::sql::Filter::Compile(kExpressions[state.range(0)]);
    CORE_ASSERT(filter.ok());
    benchmark::DoNotOptimize(filter->get());
  }
}
BENCHMARK(BM_Compile)->ArgName("expression")->DenseRange(0, 2);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
