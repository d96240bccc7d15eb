#include "net/connection.h"

#include <algorithm>

#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/big_endian.h"

namespace net {

bool LogLimiter::Admit(core::MonoTime now, uint64_t* suppressed) {
  if (now - begin_ >= kPeriod) {
    begin_ = now;
    lines_ = 0;
  }
  if (lines_ == kLinesMax) {
    ++suppressed_;
    return false;
  }
  ++lines_;
  *suppressed = std::exchange(suppressed_, 0);
  return true;
}

Connection::Connection(std::unique_ptr<core::Socket> socket, Id id, const Router* router, const ServerLimits& limits,
                       LogLimiter& log, PinnedBlocks& pinned)
    : socket_(std::move(socket)),
      id_(id),
      peer_text_(socket_->peer().Text()),
      router_(router),
      limits_(limits),
      log_(log),
      assembler_(core::Reactor::Current().buffers(), limits.frame_bytes_max),
      output_(core::Reactor::Current().buffers(), pinned),
      last_activity_(core::Reactor::Current().now()),
      frame_begin_(core::MonoTime::Max()),
      timer_(*this) {}

Connection::~Connection() = default;

core::Task<void> Connection::Serve() {
  ArmTimer();
  scope_.Spawn(WriteLoop());
  co_await ReadLoop();
  Close("the peer closed it");
  co_await scope_.Join();
  timer_.Disarm();
  co_await socket_->Close();
}

core::Task<void> Connection::ReadLoop() {
  while (!closing()) {
    absl::StatusOr<core::Slice> received = co_await socket_->Receive();
    if (!received.ok() || received->empty()) co_return;
    last_activity_ = core::Reactor::Current().now();
    assembler_.Feed(*std::move(received));
    while (!closing()) {
      absl::StatusOr<std::optional<core::Slice>> frame = assembler_.Next();
      if (!frame.ok()) {
        CloseForError(core::ToStd(frame.status().message()));
        co_return;
      }
      if (!frame->has_value()) break;
      frame_begin_ = core::MonoTime::Max();
      if (!TakeFrame(std::move(**frame))) co_return;
      if (OverLimits()) co_await WaitForRoom();
    }
    if (assembler_.partial()) {
      frame_begin_ = std::min(frame_begin_, last_activity_);
      if (!socket_->HasReceived()) ArmTimer();
    }
  }
}

// Not reading is how a peer that asks for more than we can hold is slowed down.
core::Task<void> Connection::WaitForRoom() {
  waiting_for_room_ = true;
  while (OverLimits() && !closing()) co_await room_.Wait(scope_.stop_token());
  waiting_for_room_ = false;
  last_activity_ = core::Reactor::Current().now();
}

bool Connection::OverLimits() const {
  return in_flight_requests_ >= limits_.in_flight_requests_max || in_flight_bytes_ >= limits_.in_flight_bytes_max ||
         output_.bytes() >= limits_.output_bytes_max;
}

namespace {

// A request without a body may be held for long (pulls): it must not keep a receive buffer, of which there are few. When they are scarce, no
// small request may, or a peer could hold a large block by a few bytes of each.
core::Slice WithoutReceiveBuffer(core::Slice bytes) {
  if (bytes.size() < 4 || bytes.size() * 4 > bytes.block()->size()) return bytes;
  core::Reactor& reactor = core::Reactor::Current();
  const size_t header_bytes = ReadU32(reinterpret_cast<const char*>(bytes.data())) & 0xFFFFFF;
  if (header_bytes + 4 != bytes.size() && !reactor.received_blocks_scarce()) return bytes;
  return reactor.buffers().Copy(bytes.bytes());
}

}  // namespace

// False when the connection can't go on.
bool Connection::TakeFrame(core::Slice bytes) {
  const size_t frame_bytes = bytes.size();
  bytes = WithoutReceiveBuffer(std::move(bytes));
  absl::StatusOr<Frame> frame = DecodeFrame(std::move(bytes));
  if (!frame.ok()) {
    CloseForError(core::ToStd(frame.status().message()));
    return false;
  }
  if (frame->is_response()) {
    calls_.Complete(*std::move(frame));  // nobody waits any more: dropped, as RocketMQ does
    return true;
  }
  if (frame->serialize_type == SerializeType::kRocketMq) serialize_type_ = SerializeType::kRocketMq;
  ++in_flight_requests_;
  in_flight_bytes_ += frame_bytes;
  scope_.Spawn(Handle(*std::move(frame), frame_bytes));
  return true;
}

core::Task<void> Connection::Handle(Frame frame, size_t bytes) {
  const Router::Handler* handler = router_ == nullptr ? nullptr : router_->Find(frame.code);
  Reply reply;
  if (handler == nullptr) {
    reply = Router::NotSupported(frame.code);
  } else {
    core::Reactor::Current().SetActivity("request", frame.code);
    reply = co_await (*handler)(RequestContext{*this, frame, &frame});
  }
  if (!frame.is_oneway() && !reply.none() && !closing()) {
    output_.AppendReply(std::move(reply), frame.serialize_type, frame.opaque);
    wake_writer_.NotifyOne();
  }
  --in_flight_requests_;
  in_flight_bytes_ -= bytes;
  if (waiting_for_room_) room_.NotifyOne();
}

core::Task<void> Connection::WriteLoop() {
  while (!closing()) {
    if (output_.empty()) {
      co_await wake_writer_.Wait(scope_.stop_token());
      continue;
    }
    co_await core::EndOfTick();
    if (closing()) break;
    const std::span<const core::Slice> batch = output_.BeginBatch();
    const absl::Status sent = co_await socket_->Send(batch);
    output_.EndBatch();
    last_activity_ = core::Reactor::Current().now();
    if (!sent.ok()) {
      Close(core::ToStd(sent.message()));
      break;
    }
    if (waiting_for_room_) room_.NotifyOne();
  }
}

bool Connection::SendOnewayFields(int32_t code, const HeaderFields& fields, core::Slice body) {
  if (closing() || output_.bytes() >= limits_.output_bytes_max) return false;
  FrameHead head;
  head.serialize_type = serialize_type_;
  head.code = code;
  head.opaque = next_oneway_opaque_--;  // counts down: apart from those of calls, which count up
  head.flag = kFlagOneway;
  head.fields = &fields;
  output_.AppendFrame(head, std::move(body));
  wake_writer_.NotifyOne();
  return true;
}

core::Task<absl::StatusOr<Frame>> Connection::CallFields(int32_t code, HeaderFields fields, core::Slice body,
                                                         absl::Duration timeout) {
  if (closing())
    co_return absl::UnavailableError(core::StrCat("the connection to ", peer_text_, " is closed: ", close_reason_));
  if (output_.bytes() >= limits_.output_bytes_max)
    co_return absl::UnavailableError(core::StrCat(peer_text_, " does not read what it is sent"));
  PendingCall call;
  FrameHead head;
  head.serialize_type = serialize_type_;
  head.code = code;
  head.opaque = calls_.Add(call);
  head.fields = &fields;
  output_.AppendFrame(head, std::move(body));
  wake_writer_.NotifyOne();
  const core::MonoTime deadline = core::Reactor::Current().now() + timeout;
  while (!call.result.has_value()) {
    const core::WaitResult waited = co_await call.done.Wait(deadline);
    // With a result this connection may be gone already.
    if (waited == core::WaitResult::kTimeout && !call.result.has_value()) {
      calls_.Remove(head.opaque);
      co_return absl::DeadlineExceededError(
          core::StrCat("no answer from ", peer_text_, " to request ", code, " in ", absl::FormatDuration(timeout)));
    }
  }
  co_return std::move(*call.result);
}

void Connection::Close(std::string_view why) {
  if (closing()) return;
  close_reason_ = std::string(why);
  if (core::LogEnabled(core::LogLevel::kDebug)) core::LogDebug("connection ", peer_text_, " closes: ", why);
  scope_.RequestStop();
  calls_.FailAll(absl::UnavailableError(core::StrCat("the connection to ", peer_text_, " closed: ", why)));
  socket_->Shutdown();
}

void Connection::CloseForError(std::string_view why) {
  uint64_t suppressed = 0;
  if (!closing() && log_.Admit(core::Reactor::Current().now(), &suppressed)) {
    const std::string others = suppressed == 0 ? std::string() : core::StrCat(" (and ", suppressed, " others unsaid)");
    core::LogWarning("connection ", peer_text_, " closed: ", why, others);
  }
  Close(why);
}

core::MonoTime Connection::IdleDeadline() const {
  if (limits_.idle_timeout == absl::InfiniteDuration()) return core::MonoTime::Max();
  return last_activity_ + limits_.idle_timeout;
}

// Armed for the next deadline that may pass; activity only moves deadlines away, so a timer that fires early is armed again.
void Connection::ArmTimer() {
  core::MonoTime next = IdleDeadline();
  if (assembler_.partial()) next = std::min(next, frame_begin_ + limits_.frame_deadline);
  if (next == core::MonoTime::Max() || (timer_.armed() && timer_.deadline() <= next)) return;
  core::Reactor::Current().timers().Arm(timer_, next);
}

void Connection::CheckDeadlines() {
  if (closing()) return;
  const core::MonoTime now = core::Reactor::Current().now();
  if (assembler_.partial() && frame_begin_ + limits_.frame_deadline <= now) {
    CloseForError("a frame did not arrive in time");
    return;
  }
  if (IdleDeadline() <= now) {
    if (in_flight_requests_ == 0) {
      Close("idle");
      return;
    }
    last_activity_ = now;  // a request of its own is under way: the peer waits, rightly
  }
  ArmTimer();
}

}  // namespace net
