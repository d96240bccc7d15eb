#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/scope.h"
#include "core/socket.h"
#include "core/task.h"

namespace net {

/// Answers `GET /metrics` over HTTP, for a Prometheus server. No more of HTTP than that: one request a connection, with at most kRequestBytesMax of
/// head and kDeadline to send it, a few connections at a time. One shard. Must be stopped (awaited) before it dies.
class MetricsServer {
 public:
  static constexpr size_t kRequestBytesMax = size_t{4} << 10;
  static constexpr absl::Duration kDeadline = absl::Seconds(5);
  static constexpr size_t kConnectionsMax = 8;

  /// Makes the text to answer with.
  using Source = std::function<core::Task<std::string>()>;

  /// Listens at `at`. kAlreadyExists when the port is in use.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const core::Endpoint& at, Source source);
  ~MetricsServer();

  const core::Endpoint& local() const { return listener_->local(); }
  /// Ends what is under way.
  core::Task<void> Stop();

 private:
  MetricsServer(std::unique_ptr<core::Listener> listener, Source source);
  core::Task<void> AcceptLoop();
  core::Task<void> ServeOne(std::unique_ptr<core::Socket> socket);
  core::Task<std::string> AnswerTo(core::Socket& socket);

  const std::unique_ptr<core::Listener> listener_;
  const Source source_;
  size_t serving_ = 0;
  core::Scope scope_;
};

}  // namespace net
