#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "core/runtime.h"
#include "core/sim/world.h"
#include "core/strings.h"
#include "core/task.h"

namespace core {

/// What a test runs on shard 0; `folder` is fresh and empty.
using FolderMain = std::function<Task<absl::Status>(std::string folder)>;

/// Runs `main` in simulated worlds of several seeds: every seed is another order of what is ready and other delays.
inline void OnSim(size_t shards, const FolderMain& main, uint64_t seeds = 20) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const absl::Status status = sim::RunInWorld(seed, shards, [&main] { return main("fresh"); });
    ASSERT_TRUE(status.ok()) << "simulation, seed " << seed << ": " << status;
    ASSERT_FALSE(testing::Test::HasFailure()) << "simulation, seed " << seed;
  }
}

/// Runs `main` on the kernel's io_uring and real threads.
inline void OnMachine(size_t shards, const FolderMain& main) {
  RuntimeOptions options;
  options.shards = shards;
  options.pin_threads = false;
  options.receive_buffers = 16;
  options.receive_buffer_bytes = 4096;
  std::string folder = "/tmp/ringmq-core-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const absl::Status status = RunShards(options, [&main, &folder] { return main(folder); });
  EXPECT_TRUE(status.ok()) << "real machine: " << status;
  std::filesystem::remove_all(folder);
}

inline void OnBoth(size_t shards, const FolderMain& main) {
  OnSim(shards, main);
  OnMachine(shards, main);
}

}  // namespace core
