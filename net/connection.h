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
#include "core/stage_times.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/timer.h"
#include "net/frame.h"
#include "net/frame_assembler.h"
#include "net/header.h"
#include "net/limits.h"
#include "net/output.h"
#include "net/pending_calls.h"
#include "net/router.h"
#include "net/shared_budgets.h"

namespace net {

/// One client's connection on the shard that accepted it. Handlers may keep a pointer only while they run; longer-lived holders
/// (consumer groups, registrations) use `id()` and Server::Find.
class Connection : public core::ListNode {
 public:
  using Id = uint64_t;  // unique in the process: shard in the high 16 bits

  /// `router` may be null: then requests are answered as not supported. `address`: what its peer's address has on this shard, or null. All that is
  /// given outlives the connection.
  Connection(std::unique_ptr<core::Socket> socket, Id id, const Router* router, const ServerLimits& limits, SharedBudgets& shared,
             AddressUse* address = nullptr);
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

  /// Room for an answer of about `bytes`, which a handler takes before it gathers so much and gives to its reply (Reply::KeepUntilSent). Empty
  /// when there is none now.
  AnswerRoom TryTakeAnswerRoom(size_t bytes);
  /// Waits for it, in the order of asking; empty when the connection closes.
  core::Task<AnswerRoom> TakeAnswerRoom(size_t bytes);
  /// For a DirectHandler: the request that it takes is under way, and this connection is there, until FinishDirect.
  void BeginDirect() { ++direct_requests_; }
  /// Ends it; AnswerDirect comes before, unless nothing is to be answered.
  void FinishDirect(const RequestCost& cost);
  void AnswerDirect(const FrameHead& head);
  void AnswerDirect(const AnswerTemplate& answer, SerializeType serialize_type, int32_t opaque, std::span<const AnswerTemplate::Value> values);
  /// Requests that have let go of their frames and wait for something (held pulls).
  size_t held_requests() const { return held_requests_; }

  /// Stops the handlers' token, answers nothing more and closes. Returns at once.
  void Close(std::string_view why);
  core::StopToken stop_token() { return scope_.stop_token(); }
  bool closing() const { return scope_.stop_requested(); }
  /// Why it closes; empty while it does not.
  const std::string& close_reason() const { return close_reason_; }

  /// How requests to the peer are encoded; a binary frame from it sets kRocketMq.
  void set_serialize_type(SerializeType type) { serialize_type_ = type; }

  // --- For SharedBudgets, when memory is short, and for metrics.
  size_t requests() const { return requests_; }
  size_t request_bytes() const { return request_bytes_; }
  size_t output_bytes() const { return output_.bytes(); }
  /// When the frame that is on its way began; Max when there is none.
  core::MonoTime frame_begin() const { return frame_begin_; }
  size_t partial_held() const { return partial_held_; }
  bool has_received() const { return socket_->HasReceived(); }
  /// Has sent a whole frame before: not one of those that only come to fill memory.
  bool has_spoken() const { return has_spoken_; }
  core::MonoTime last_received() const { return last_received_; }
  /// Has more of a frame than is everybody's, and its peer has sent none of the rest since `since`.
  bool FrameStalls(core::MonoTime since) const {
    return partial_held_ > kSmallFrame && !socket_->HasReceived() && last_received_ < since;
  }
  /// Its peer takes nothing of what is being sent, since `since`. Looks at the socket: what was taken shows at the next call.
  bool OutputStalls(core::MonoTime since);
  const AddressUse* address() const { return address_; }
  void WakeFrameWaiter() { frame_room_.NotifyAll(); }
  /// Closes it and lets go of its partial frame at once.
  void Evict(std::string_view why);

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
  core::Task<void> Handle(Frame frame, RequestCost cost);
  core::Task<void> WaitForRoom();
  core::Task<void> WaitForFrameRoom();
  friend struct RequestContext;  // ReleaseFrame parks a request
  void Park(RequestCost& cost);
  void EndRequest(const RequestCost& cost);
  void AccountFrame();
  void EndFrame();
  bool FrameIsLate(core::MonoTime now);
  bool JudgeHead();
  bool TakeFrame(core::Slice bytes);
  bool OverOwnLimits() const;
  bool OverLimits() const;
  void CountHit();
  void CloseForError(std::string_view why);
  void CheckDeadlines();
  void ArmTimer();
  core::MonoTime IdleDeadline() const;

  const std::unique_ptr<core::Socket> socket_;
  const Id id_;
  const std::string peer_text_;
  const Router* const router_;
  const ServerLimits& limits_;
  SharedBudgets& shared_;
  AddressUse* const address_;
  SerializeType serialize_type_ = SerializeType::kJson;
  FrameAssembler assembler_;
  AnswerBytes answer_room_;
  Output output_;
  PendingCalls calls_;
  core::Notifier wake_writer_;
  core::Notifier room_;  // something under a limit became less
  core::Notifier frame_room_;
  core::Notifier direct_done_;  // the last direct request of a closing connection has ended
  size_t requests_ = 0;
  size_t request_bytes_ = 0;
  size_t held_requests_ = 0;
  size_t direct_requests_ = 0;
  size_t partial_held_ = 0;  // what the assembler holds, as the budgets know it
  core::MonoTime last_activity_;
  core::MonoTime last_received_;
  core::MonoTime frame_begin_;   // of the frame that the assembler has part of
  core::MonoTime frame_window_;  // since when these bytes of it have been there
  size_t frame_window_bytes_ = 0;
  core::Sampler frame_sampler_;
  core::Sampler send_sampler_;
  core::MonoTime output_mark_;  // since when so much has been sent
  uint64_t output_mark_bytes_ = 0;
  bool writing_ = false;
  bool has_spoken_ = false;
  bool head_judged_ = false;  // of the frame that the assembler has part of
  bool waiting_for_frame_room_ = false;
  bool waiting_for_room_ = false;
  int32_t next_oneway_opaque_ = 0;
  std::string close_reason_;
  DeadlineTimer timer_;
  core::Scope scope_;
};

}  // namespace net
