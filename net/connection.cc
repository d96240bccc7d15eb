#include "net/connection.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/big_endian.h"
#include "net/signature.h"

namespace net {

Connection::Connection(std::unique_ptr<core::Socket> socket, Id id, const Router* router, const ServerLimits& limits,
                       SharedBudgets& shared, AddressUse* address)
    : socket_(std::move(socket)),
      id_(id),
      peer_text_(socket_->peer().Text()),
      router_(router),
      limits_(limits),
      shared_(shared),
      address_(address),
      assembler_(core::Reactor::Current().buffers(), limits.frame_bytes_max),
      answer_room_(limits.output_bytes_max),
      output_(core::Reactor::Current().buffers(), shared.pinned, shared.output_bytes),
      last_activity_(core::Reactor::Current().now()),
      last_received_(last_activity_),
      frame_begin_(core::MonoTime::Max()),
      timer_(*this) {
  shared_.Add(*this);
}

Connection::~Connection() = default;

core::Task<void> Connection::Serve() {
  ArmTimer();
  scope_.Spawn(WriteLoop());
  co_await ReadLoop();
  Close("the peer closed it");
  assembler_.Drop();
  EndFrame();
  co_await scope_.Join();
  while (direct_requests_ > 0) co_await direct_done_.Wait();
  output_.Drop();
  shared_.WakeWaiting();
  timer_.Disarm();
  co_await socket_->Close();
}

namespace {

/// What one connection may have done in a tick, however much it has sent: then it is the turn of the others.
constexpr int kTurnFrames = 128;
constexpr size_t kTurnBytes = size_t{256} << 10;

}  // namespace

core::Task<void> Connection::ReadLoop() {
  int turn_frames = 0;
  size_t turn_bytes = 0;
  while (!closing()) {
    if (!socket_->HasReceived()) turn_frames = 0, turn_bytes = 0;
    absl::StatusOr<core::Slice> received = co_await socket_->Receive();
    if (!received.ok() || received->empty()) co_return;
    last_activity_ = last_received_ = core::Reactor::Current().now();
    assembler_.Feed(*std::move(received));
    while (!closing()) {
      absl::StatusOr<std::optional<core::Slice>> frame = assembler_.Next();
      if (!frame.ok()) {
        CloseForError(core::ToStd(frame.status().message()));
        co_return;
      }
      if (!frame->has_value()) break;
      if (frame_begin_ != core::MonoTime::Max()) EndFrame();
      const bool skipped = (*frame)->empty();
      turn_bytes += (*frame)->size();
      if (!skipped && !TakeFrame(std::move(**frame))) co_return;
      if (OverLimits()) co_await WaitForRoom();
      if (++turn_frames == kTurnFrames || turn_bytes >= kTurnBytes) {
        turn_frames = 0;
        turn_bytes = 0;
        co_await core::Yield();
      }
    }
    if (!assembler_.partial()) continue;
    if (frame_begin_ == core::MonoTime::Max()) {
      frame_begin_ = frame_window_ = last_received_;
      frame_window_bytes_ = 0;
    }
    if (!head_judged_ && !JudgeHead()) co_return;
    AccountFrame();
    if (!socket_->HasReceived()) ArmTimer();
    // Before it has more: its buffer doubles with what comes next.
    const bool grows = partial_held_ >= kSmallFrame && assembler_.announced() > kSmallFrame;
    if (grows && !closing() && !shared_.FrameMayGrow(*this)) co_await WaitForFrameRoom();
  }
}

// Not reading is how a peer that asks for more than we can hold is slowed down.
core::Task<void> Connection::WaitForRoom() {
  waiting_for_room_ = true;
  CountHit();
  while (OverLimits() && !closing()) {
    // What is too much is either ours, and then one of our own requests or sends is under way, or everybody's.
    const bool everybody = shared_.Full() && !OverOwnLimits();
    co_await (everybody ? shared_.room : room_).Wait(scope_.stop_token());
    if (everybody && OverOwnLimits()) shared_.WakeWaiting();  // it has no use for it yet
  }
  waiting_for_room_ = false;
  shared_.WakeWaiting();  // passed on: more than one may fit
  last_activity_ = last_received_ = core::Reactor::Current().now();
}

// The frames of others fill the memory for frames: this one stays as it is until there is room, or until it is its turn.
core::Task<void> Connection::WaitForFrameRoom() {
  waiting_for_frame_room_ = true;
  shared_.AddFrameWaiter(*this);
  while (!closing() && !shared_.FrameMayGrow(*this)) co_await frame_room_.Wait(scope_.stop_token());
  shared_.RemoveFrameWaiter(*this);
  waiting_for_frame_room_ = false;
  last_activity_ = last_received_ = frame_window_ = core::Reactor::Current().now();  // its time was not the peer's
  frame_window_bytes_ = assembler_.have();
  if (!closing() && assembler_.partial()) ArmTimer();
}

void Connection::AccountFrame() {
  const size_t held = assembler_.held_bytes();
  const size_t before = std::exchange(partial_held_, held);
  if (held == before) return;
  shared_.partial_bytes.used += held - before;
  if (address_ != nullptr) address_->partial_bytes += held - before;
  if (held < before) {
    shared_.PartialBytesFreed();
  } else if (shared_.PartialBytesFull()) {
    shared_.CloseOldestFrames();
  }
}

void Connection::EndFrame() {
  frame_begin_ = core::MonoTime::Max();
  head_judged_ = false;
  shared_.FrameDone(*this);
  AccountFrame();
}

bool Connection::OverOwnLimits() const {
  return requests_ >= limits_.requests_max || request_bytes_ >= limits_.request_bytes_max ||
         output_.bytes() >= limits_.output_bytes_max ||
         (shared_.RequestsScarce() && (requests_ > kFewRequests || request_bytes_ > kSmallFrame)) ||
         (shared_.output_bytes.scarce() && output_.held_bytes() > kSmallFrame);
}

bool Connection::OverLimits() const { return OverOwnLimits() || shared_.Full(); }

void Connection::CountHit() {
  if (output_.bytes() >= limits_.output_bytes_max) {
    ++shared_.connection_output.hits;
  } else if (requests_ >= limits_.requests_max) {
    ++shared_.connection_requests.hits;
  } else if (request_bytes_ >= limits_.request_bytes_max) {
    ++shared_.connection_request_bytes.hits;
  } else {
    shared_.NoteWait();
  }
}

AnswerRoom Connection::TryTakeAnswerRoom(size_t bytes) {
  AnswerRoom room;
  room.of_connection = answer_room_.TryTake(bytes);
  if (room.of_connection) room.of_shard = shared_.answers.TryTake(bytes);
  if (!room.of_shard) room.of_connection.ShrinkTo(0);
  return room;
}

core::Task<AnswerRoom> Connection::TakeAnswerRoom(size_t bytes) {
  AnswerRoom room;
  room.of_connection = co_await answer_room_.Take(bytes, scope_.stop_token());
  if (!room.of_connection) co_return room;
  room.of_shard = shared_.answers.TryTake(bytes);
  if (room.of_shard) co_return room;
  shared_.BeginAnswerWait();
  room.of_shard = co_await shared_.answers.Take(bytes, scope_.stop_token());
  shared_.EndAnswerWait();
  co_return room;
}

bool Connection::OutputStalls(core::MonoTime since) {
  if (!writing_) return false;
  if (socket_->bytes_sent() != output_mark_bytes_) {
    output_mark_bytes_ = socket_->bytes_sent();
    output_mark_ = core::Reactor::Current().now();
  }
  return output_mark_ < since;
}

void Connection::Evict(std::string_view why) {
  CloseForError(why);
  assembler_.Drop();
  EndFrame();
}

void RequestContext::ReleaseFrame() const {
  if (owned != nullptr) owned->Release();
  if (cost != nullptr) connection.Park(*cost);
}

std::optional<Reply> RequestContext::RefuseTopic(std::string_view topic, std::string_view group) const {
  CORE_ASSERT(router != nullptr);  // which has let it through
  return router->RefuseTopic(*this, topic, group);
}

std::string_view RequestContext::user() const {
  std::string_view name;
  (void)frame.Find(kAccessKeyField, &name);
  return name;
}

void Connection::Park(RequestCost& cost) {
  if (cost.parked) return;
  EndRequest(cost);
  cost.parked = true;
  ++held_requests_;
}

void Connection::EndRequest(const RequestCost& cost) {
  if (cost.parked) {
    --held_requests_;
    return;
  }
  --requests_;
  request_bytes_ -= cost.bytes;
  --shared_.requests.used;
  shared_.request_bytes.used -= cost.bytes;
  if (waiting_for_room_) room_.NotifyOne();
  shared_.WakeWaiting();
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

// A large frame is looked at once its header is here: one that will be refused is answered now, and its body is never in memory. False when the
// connection can't go on.
bool Connection::JudgeHead() {
  const std::span<const std::byte> begun = assembler_.begun();
  if (begun.size() < kMarkBytes || assembler_.announced() <= kSmallFrame) return true;
  const absl::StatusOr<size_t> head_bytes = HeadBytes(begun.data(), assembler_.announced());
  if (head_bytes.ok() && begun.size() < *head_bytes) return true;
  head_judged_ = true;
  const absl::StatusOr<Frame> head =
      head_bytes.ok() ? DecodeFrame(core::Reactor::Current().buffers().Copy(begun.first(*head_bytes)))
                      : head_bytes.status();
  if (!head.ok()) {
    CloseForError(core::ToStd(head.status().message()));
    return false;
  }
  std::optional<Reply> refusal;
  if (!head->is_response()) {
    refusal = router_ == nullptr ? Router::NotSupported(head->code)
                                 : router_->RefuseEarly(*this, *head, assembler_.announced() - *head_bytes);
  }
  const bool unwanted = head->is_response() ? !calls_.Contains(head->opaque) : refusal.has_value();
  if (!unwanted) return true;
  assembler_.SkipRest();
  shared_.FrameDone(*this);  // it needs no more room
  ++shared_.bodies_refused;
  if (refusal.has_value() && !head->is_oneway()) {
    output_.AppendReply(*std::move(refusal), head->serialize_type, head->opaque);
    wake_writer_.NotifyOne();
  }
  return true;
}

// False when the connection can't go on.
bool Connection::TakeFrame(core::Slice bytes) {
  const size_t frame_bytes = bytes.size();
  bytes = WithoutReceiveBuffer(std::move(bytes));
  core::Reactor& reactor = core::Reactor::Current();
  const bool measured = frame_sampler_.Next();
  const core::MonoTime begun = measured ? reactor.Clock() : core::MonoTime{};
  absl::StatusOr<Frame> frame = DecodeFrame(std::move(bytes), &shared_.header_shapes);
  if (measured) [[unlikely]] {
    reactor.stages().Record(core::Stage::kReceive, reactor.now(), begun);  // since what has come was told to this shard
    reactor.stages().Record(core::Stage::kDecode, begun, reactor.Clock());
  }
  if (!frame.ok()) {
    CloseForError(core::ToStd(frame.status().message()));
    return false;
  }
  if (frame->is_response()) {
    calls_.Complete(*std::move(frame));  // nobody waits any more: dropped, as RocketMQ does
    return true;
  }
  if (frame->serialize_type == SerializeType::kRocketMq) serialize_type_ = SerializeType::kRocketMq;
  has_spoken_ = true;
  ++requests_;
  request_bytes_ += frame_bytes;
  ++shared_.requests.used;
  shared_.request_bytes.used += frame_bytes;
  const RequestCost cost{frame_bytes};
  std::optional<Reply> refusal;
  if (router_ == nullptr || !router_->TakeDirect(*this, *frame, cost, &refusal)) {
    scope_.Spawn(Handle(*std::move(frame), cost));
  } else if (refusal.has_value()) {
    if (!frame->is_oneway()) {
      output_.AppendReply(*std::move(refusal), frame->serialize_type, frame->opaque);
      wake_writer_.NotifyOne();
    }
    EndRequest(cost);
  }
  return true;
}

void Connection::AnswerDirect(const FrameHead& head) {
  if (closing()) return;
  output_.AppendFrame(head, {});
  wake_writer_.NotifyOne();
}

void Connection::AnswerDirect(const AnswerTemplate& answer, SerializeType serialize_type, int32_t opaque, std::span<const AnswerTemplate::Value> values) {
  if (closing()) return;
  output_.AppendAnswer(answer, serialize_type, opaque, values);
  wake_writer_.NotifyOne();
}

void Connection::FinishDirect(const RequestCost& cost) {
  EndRequest(cost);
  if (--direct_requests_ == 0) direct_done_.NotifyAll();
}

core::Task<void> Connection::Handle(Frame frame, RequestCost cost) {
  const Router::Handler* handler = router_ == nullptr ? nullptr : router_->Begin(frame.code);
  Reply reply;
  if (handler == nullptr) {
    reply = Router::NotSupported(frame.code);
  } else {
    core::Reactor::Current().SetActivity("request", frame.code);
    reply = co_await (*handler)(RequestContext{*this, frame, &frame, &cost});
  }
  if (!frame.is_oneway() && !reply.none() && !closing()) {
    output_.AppendReply(std::move(reply), frame.serialize_type, frame.opaque);
    wake_writer_.NotifyOne();
  }
  EndRequest(cost);
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
    writing_ = true;
    output_mark_ = core::Reactor::Current().now();
    output_mark_bytes_ = socket_->bytes_sent();
    const bool measured = send_sampler_.Next();
    const core::MonoTime begun = measured ? core::Reactor::Current().Clock() : core::MonoTime{};
    const absl::Status sent = co_await socket_->Send(batch);
    if (measured) core::Reactor::Current().stages().Record(core::Stage::kSend, begun, core::Reactor::Current().Clock());
    writing_ = false;
    output_.EndBatch();
    last_activity_ = core::Reactor::Current().now();
    if (!sent.ok()) {
      Close(core::ToStd(sent.message()));
      break;
    }
    if (waiting_for_room_) room_.NotifyOne();
    shared_.WakeWaiting();
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
  if (!closing() && shared_.log.Admit(core::Reactor::Current().now(), &suppressed)) {
    const std::string others = suppressed == 0 ? std::string() : core::StrCat(" (and ", suppressed, " others unsaid)");
    core::LogWarning("connection ", peer_text_, " closed: ", why, others);
  }
  Close(why);
}

core::MonoTime Connection::IdleDeadline() const {
  if (limits_.idle_timeout == absl::InfiniteDuration()) return core::MonoTime::Max();
  return last_activity_ + limits_.idle_timeout;
}

// Armed for the next deadline that may pass; activity only moves deadlines away, so a timer that fires early is armed again. Whether the peer takes
// its answers is looked at now and then, so that a send need not arm anything.
void Connection::ArmTimer() {
  const core::MonoTime now = core::Reactor::Current().now();
  core::MonoTime next = IdleDeadline();
  if (limits_.output_stall_timeout != absl::InfiniteDuration()) next = std::min(next, now + limits_.output_stall_timeout / 3);
  if (assembler_.partial() && !waiting_for_frame_room_) next = std::min(next, frame_window_ + limits_.frame_deadline);
  if (next == core::MonoTime::Max() || (timer_.armed() && timer_.deadline() <= next)) return;
  core::Reactor::Current().timers().Arm(timer_, next);
}

// Large frames take their time on slow lines, and may as long as they come on.
bool Connection::FrameIsLate(core::MonoTime now) {
  if (!assembler_.partial() || waiting_for_frame_room_ || frame_window_ + limits_.frame_deadline > now) return false;
  const auto least = static_cast<size_t>(absl::ToDoubleSeconds(limits_.frame_deadline) * kFrameRateMin);
  const bool comes_on = assembler_.have() - frame_window_bytes_ >= std::max<size_t>(least, 1);
  if (!comes_on || now - frame_begin_ >= kFrameWindowsMax * limits_.frame_deadline) return true;
  frame_window_ = now;
  frame_window_bytes_ = assembler_.have();
  return false;
}

void Connection::CheckDeadlines() {
  if (closing()) return;
  const core::MonoTime now = core::Reactor::Current().now();
  if (FrameIsLate(now)) {
    ++shared_.frame_deadline_closes;
    CloseForError("a frame did not arrive in time");
    return;
  }
  if (limits_.output_stall_timeout != absl::InfiniteDuration() && OutputStalls(now - limits_.output_stall_timeout)) {
    ++shared_.output_stall_closes;
    CloseForError("the peer does not take what it is sent");
    return;
  }
  if (IdleDeadline() <= now) {
    if (requests_ + held_requests_ == 0) {
      ++shared_.idle_closes;
      Close("idle");
      return;
    }
    last_activity_ = now;  // a request of its own is under way: the peer waits, rightly
  }
  ArmTimer();
}

}  // namespace net
