#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "core/intrusive_list.h"
#include "core/scope.h"
#include "core/socket.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/timer.h"
#include "net/frame.h"
#include "net/frame_assembler.h"
#include "net/header.h"
#include "net/output.h"
#include "net/pending_calls.h"
#include "net/router.h"

namespace net {

struct ServerLimits {
  size_t frame_bytes_max = kFrameBytesMax;
  /// Per connection: beyond, it is not read. A held pull is one, and a client may hold one for each of its queues.
  uint32_t in_flight_requests_max = 16384;
  size_t in_flight_bytes_max = size_t{8} << 20;
  size_t output_bytes_max = size_t{8} << 20;          // per connection waiting to be sent: beyond, it is not read
  absl::Duration idle_timeout = absl::Seconds(120);   // without a byte either way; infinite: never
  absl::Duration frame_deadline = absl::Seconds(15);  // from the first byte of a frame to its last
  size_t connections_max = 20000;                     // per shard; beyond, accepted and closed
  size_t pinned_bytes_max =
      size_t{64} << 20;  // per shard: memory that unsent answers keep from being freed; beyond, they are copied
};

/// Lets through so many lines a period, so that hostile peers cannot fill the log. One shard.
class LogLimiter {
 public:
  /// Whether a line may be written now; `suppressed` is how many were not since the last one that was.
  bool Admit(core::MonoTime now, uint64_t* suppressed);

 private:
  static constexpr int kLinesMax = 10;
  static constexpr absl::Duration kPeriod = absl::Seconds(10);
  core::MonoTime begin_{INT64_MIN / 2};
  int lines_ = 0;
  uint64_t suppressed_ = 0;
};

/// One client's connection on the shard that accepted it. Handlers may keep a pointer only while they run; longer-lived holders
/// (consumer groups, registrations) use `id()` and Server::Find.
class Connection : public core::ListNode {
 public:
  using Id = uint64_t;  // unique in the process: shard in the high 16 bits

  /// `router` may be null: then requests are answered as not supported. All that is given outlives the connection.
  Connection(std::unique_ptr<core::Socket> socket, Id id, const Router* router, const ServerLimits& limits,
             LogLimiter& log, PinnedBlocks& pinned);
  ~Connection();

  Id id() const { return id_; }
  const core::Endpoint& peer() const { return socket_->peer(); }
  /// The address the client dialled: what it can reach us by.
  const core::Endpoint& local() const { return socket_->local(); }
  const std::string& peer_text() const { return peer_text_; }  // "ip:port"

  /// Sends a oneway request to this client (40, 39, 220), encoded in JSON unless the client speaks binary. Never blocks: queued,
  /// dropped when the connection is closing or its output is over the limit (then false).
  template <typename Request>
  bool SendOneway(const Request& header, core::Slice body = {}) {
    HeaderFields fields;
    fields.AddHeader(header);
    return SendOnewayFields(static_cast<int32_t>(Request::kCode), fields, std::move(body));
  }
  /// Calls the client and waits for its answer, whatever its code (221, 307, 309, 326). kDeadlineExceeded after `timeout`, kUnavailable when
  /// the connection is closing.
  template <typename Request>
  core::Task<absl::StatusOr<Frame>> Call(const Request& header, core::Slice body, absl::Duration timeout) {
    HeaderFields fields;
    fields.AddHeader(header);
    return CallFields(static_cast<int32_t>(Request::kCode), std::move(fields), std::move(body), timeout);
  }
  /// The same for fields that were put together by hand.
  bool SendOnewayFields(int32_t code, const HeaderFields& fields, core::Slice body);
  core::Task<absl::StatusOr<Frame>> CallFields(int32_t code, HeaderFields fields, core::Slice body,
                                               absl::Duration timeout);

  /// Stops the handlers' token, answers nothing more and closes. Returns at once.
  void Close(std::string_view why);
  core::StopToken stop_token() { return scope_.stop_token(); }
  bool closing() const { return scope_.stop_requested(); }
  /// Why it closes; empty while it does not.
  const std::string& close_reason() const { return close_reason_; }

  /// How requests to the peer are encoded; a binary frame from it sets kRocketMq.
  void set_serialize_type(SerializeType type) { serialize_type_ = type; }

  /// Runs the connection until it has closed and everything in it has ended. Called once, by its owner.
  core::Task<void> Serve();

 private:
  struct DeadlineTimer final : core::Timer {
    explicit DeadlineTimer(Connection& c) : connection(c) {}
    void OnExpire() noexcept override { connection.CheckDeadlines(); }
    Connection& connection;
  };

  core::Task<void> ReadLoop();
  core::Task<void> WriteLoop();
  core::Task<void> Handle(Frame frame, size_t bytes);
  core::Task<void> WaitForRoom();
  bool TakeFrame(core::Slice bytes);
  bool OverLimits() const;
  void CloseForError(std::string_view why);
  void CheckDeadlines();
  void ArmTimer();
  core::MonoTime IdleDeadline() const;

  const std::unique_ptr<core::Socket> socket_;
  const Id id_;
  const std::string peer_text_;
  const Router* const router_;
  const ServerLimits& limits_;
  LogLimiter& log_;
  SerializeType serialize_type_ = SerializeType::kJson;
  FrameAssembler assembler_;
  Output output_;
  PendingCalls calls_;
  core::Notifier wake_writer_;
  core::Notifier room_;  // something under a limit became less
  size_t in_flight_requests_ = 0;
  size_t in_flight_bytes_ = 0;
  core::MonoTime last_activity_;
  core::MonoTime frame_begin_;  // of the frame that the assembler has part of
  bool waiting_for_room_ = false;
  int32_t next_oneway_opaque_ = 0;
  std::string close_reason_;
  DeadlineTimer timer_;
  core::Scope scope_;
};

}  // namespace net
