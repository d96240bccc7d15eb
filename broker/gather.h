#pragma once

#include <type_traits>
#include <vector>

#include "broker/broker_shard.h"
#include "core/sharded.h"
#include "core/task.h"

namespace broker {

/// Runs `fn(BrokerShard&, args...)` on every shard, one after the other, and returns the results by shard: what an administrator asks of the
/// broker as a whole. `fn` captures nothing and returns a value or a Task of one.
template <typename Fn, typename... Args>
auto OnEveryShard(const core::Sharded<BrokerShard>& shards, Fn fn, Args... args)
    -> core::Task<std::vector<typename core::internal::TaskResult<std::invoke_result_t<Fn, BrokerShard&, Args...>>::type>> {
  std::vector<typename core::internal::TaskResult<std::invoke_result_t<Fn, BrokerShard&, Args...>>::type> results;
  results.reserve(shards.size());
  for (uint32_t shard = 0; shard < shards.size(); ++shard) {
    results.push_back(co_await shards.On(core::ShardId(shard), fn, args...));
  }
  co_return results;
}

}  // namespace broker
