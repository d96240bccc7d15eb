#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/reactor.h"
#include "core/runtime.h"
#include "core/sync.h"
#include "net/server.h"
#include "net/shared_budgets.h"

namespace net {

/// How long a test waits for what must come; long, as machines are busy.
inline constexpr absl::Duration kSoon = absl::Seconds(20);

/// A server on loopback with the handlers of `Service`, which is made from the router. Its tests run in RunOnShard.
template <typename Service>
struct ServerFixture {
  explicit ServerFixture(const ServerLimits& limits = {})
      : service(router), budgets(limits), server(router, limits, budgets, [this](Connection& connection) {
          reasons.push_back(connection.close_reason());
        }) {}
  absl::Status Listen() { return server.Listen(*core::Endpoint::Parse("127.0.0.1:0")); }
  size_t closed() const { return reasons.size(); }
  size_t Closed(std::string_view why) const {
    return static_cast<size_t>(std::count(reasons.begin(), reasons.end(), why));
  }

  Router router;
  Service service;
  std::vector<std::string> reasons;  // of the connections that have closed
  SharedBudgets budgets;
  Server server;
};

/// Runs `body` as the main of a runtime with one shard, which has so many receive buffers of so many bytes.
inline void RunOnShard(uint32_t receive_buffers, uint32_t receive_buffer_bytes, core::Task<absl::Status> (*body)()) {
  core::RuntimeOptions options;
  options.pin_threads = false;
  options.receive_buffers = receive_buffers;
  options.receive_buffer_bytes = receive_buffer_bytes;
  const absl::Status status = core::RunShards(options, [body] { return body(); });
  EXPECT_TRUE(status.ok()) << status;
}

/// kDeadlineExceeded after kSoon.
inline core::Task<absl::Status> WaitUntil(std::function<bool()> condition) {
  const core::MonoTime limit = core::Reactor::Current().now() + kSoon;
  while (!condition()) {
    if (core::Reactor::Current().now() > limit) co_return absl::DeadlineExceededError("a condition did not come true");
    co_await core::Sleep(absl::Milliseconds(2));
  }
  co_return absl::OkStatus();
}

// Gtest's ASSERT returns nothing; a coroutine must co_return.
#define CHECK_OR_FAIL(condition) \
  if (!(condition)) co_return absl::InternalError("failed: " #condition)

}  // namespace net
