#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <utility>

#include "core/runtime.h"

namespace bench {

/// Runs `main`, which has the benchmark's loop, on shard 0 of a runtime on the real machine with `shards` shards.
inline void OnShard(benchmark::State& state, size_t shards, std::function<core::Task<absl::Status>()> main) {
  core::RuntimeOptions options;
  options.shards = shards;
  options.pin_threads = shards > 1;
  const absl::Status status = core::RunShards(options, std::move(main));
  if (!status.ok()) state.SkipWithError(status.ToString().c_str());
}

}  // namespace bench
