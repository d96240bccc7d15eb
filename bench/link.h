#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/scope.h"
#include "core/socket.h"
#include "core/sync.h"
#include "core/task.h"

namespace bench {

/// A response as the load generator needs it; borrowed until the handler returns.
struct Response {
  int32_t opaque = 0;
  int32_t code = 0;
  std::string_view header;
  std::span<const std::byte> body;
};

/// Gets the responses of one link.
class ResponseHandler {
 public:
  virtual void OnResponse(const Response& response) = 0;

 protected:
  ~ResponseHandler() = default;
};

/// One connection at the lowest cost: requests are bytes appended to an output buffer that leaves once a tick; of a response only
/// opaque and code are read. JSON headers only.
class Link {
 public:
  static core::Task<absl::StatusOr<std::unique_ptr<Link>>> Open(core::Endpoint to);
  explicit Link(std::unique_ptr<core::Socket> socket);

  /// Begins to receive; `handler` outlives the link's Close.
  void Start(ResponseHandler& handler);
  /// Appends one frame. Unsent output is bounded by the caller's number of requests under way.
  void Send(std::span<const std::byte> frame);
  /// Why the link broke, or OK.
  const absl::Status& status() const { return status_; }
  core::Task<void> Close();

 private:
  core::Task<void> SendLoop();
  core::Task<void> ReceiveLoop(ResponseHandler& handler);
  /// Handles all whole frames of `bytes`; returns how many bytes they were.
  size_t HandleFrames(std::span<const std::byte> bytes, ResponseHandler& handler);

  std::unique_ptr<core::Socket> socket_;
  std::vector<std::byte> output_;
  std::vector<std::byte> sending_;
  std::vector<std::byte> partial_;  // the beginning of a frame whose rest has not arrived
  absl::Status status_;
  bool closing_ = false;
  core::Notifier wake_;
  core::Scope scope_;
};

}  // namespace bench
