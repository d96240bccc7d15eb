#include "net/shared_budgets.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "core/reactor.h"
#include "net/big_endian.h"
#include "net/connection.h"

namespace net {
namespace {

constexpr absl::Duration kSweepPeriod = absl::Milliseconds(100);
/// How long a peer may keep others waiting while memory is short.
constexpr absl::Duration kFrameStallMax = absl::Seconds(1);
constexpr absl::Duration kOutputStallMax = absl::Seconds(3);

}  // namespace

SharedBudgets::SharedBudgets(const ServerLimits& limits)
    : answers(limits.shard_answer_bytes_max), pinned(limits.pinned_bytes_max), limits_(limits), sweep_(*this) {
  partial_bytes.limit = limits.partial_bytes_max;
  requests.limit = limits.shard_requests_max;
  request_bytes.limit = limits.shard_request_bytes_max;
  output_bytes.limit = limits.shard_output_bytes_max;
  connections.limit = limits.connections_max;
  address_connections.limit = limits.address_connections_max;
  accepts.limit = limits.accepts_per_second_max;
  connection_requests.limit = limits.requests_max;
  connection_request_bytes.limit = limits.request_bytes_max;
  connection_output.limit = limits.output_bytes_max;
}

SharedBudgets::AddressKey SharedBudgets::KeyOf(const core::Endpoint& peer) {
  const auto* const bytes = reinterpret_cast<const char*>(peer.address);
  if (!peer.ipv6) return {false, 0, ReadU32(bytes)};
  return {true, uint64_t{ReadU32(bytes)} << 32 | ReadU32(bytes + 4),
          uint64_t{ReadU32(bytes + 8)} << 32 | ReadU32(bytes + 12)};
}

AddressUse* SharedBudgets::Enter(const core::Endpoint& peer) {
  if (connections.full()) {
    ++connections.hits;
    return nullptr;
  }
  AddressUse& address = addresses_[KeyOf(peer)];
  address.limited = limits_.loopback_is_limited || !peer.IsLoopback();
  if (address.limited && address.connections >= limits_.address_connections_max) {
    ++address_connections.hits;
    return nullptr;
  }
  ++address.connections;
  ++connections.used;
  ++accepted;
  return &address;
}

void SharedBudgets::Leave(const core::Endpoint& peer) {
  --connections.used;
  const auto found = addresses_.find(KeyOf(peer));
  if (--found->second.connections == 0) addresses_.erase(found);
}

bool SharedBudgets::TryAccept(core::MonoTime now) {
  if (now - accept_second_ >= absl::Seconds(1)) {
    accept_second_ = now;
    accepts.used = 0;
  }
  if (accepts.full()) return false;
  ++accepts.used;
  return true;
}

core::MonoTime SharedBudgets::NextAccept(core::MonoTime now) const {
  return std::max(now, accept_second_ + absl::Seconds(1));
}

void SharedBudgets::Add(Connection& connection) { all_.PushBack(connection); }

bool SharedBudgets::FrameMayGrow(Connection& connection) {
  const AddressUse* const address = connection.address();
  const bool much_from_there =
      address != nullptr && address->limited && address->partial_bytes >= limits_.address_partial_bytes_max;
  // A stranger's first frame may be a send of megabytes, or half of one from each of a thousand: one at a time.
  if (!partial_bytes.scarce() && !much_from_there && connection.has_spoken()) return true;
  if (growing_ == nullptr && frame_waiters_.empty()) growing_ = &connection;
  return growing_ == &connection;
}

void SharedBudgets::AddFrameWaiter(Connection& connection) {
  ++partial_bytes.hits;
  frame_waiters_.push_back(&connection);
  ArmSweep();
}

void SharedBudgets::RemoveFrameWaiter(Connection& connection) {
  frame_waiters_.erase(std::find(frame_waiters_.begin(), frame_waiters_.end(), &connection));
}

void SharedBudgets::FrameDone(Connection& connection) {
  if (growing_ != &connection) return;
  growing_ = nullptr;
  GrantFrame();
}

void SharedBudgets::PartialBytesFreed() {
  if (!frame_waiters_.empty()) GrantFrame();
}

// The turn goes to the first whose peer has sent more of its frame, as who has not would keep it for nothing, and is no stranger, if there is one.
void SharedBudgets::GrantFrame() {
  if (!partial_bytes.scarce()) {
    for (Connection* waiter : frame_waiters_) waiter->WakeFrameWaiter();
  }
  if (growing_ != nullptr) return;
  for (Connection* waiter : frame_waiters_) {
    if (!waiter->has_received() || waiter->closing()) continue;
    if (growing_ == nullptr || waiter->has_spoken()) growing_ = waiter;
    if (growing_->has_spoken()) break;
  }
  if (growing_ != nullptr) growing_->WakeFrameWaiter();
}

bool SharedBudgets::PartialBytesFull() const {
  const size_t let = growing_ == nullptr ? 0 : growing_->partial_held();
  return partial_bytes.used - std::min(let, partial_bytes.used) >= partial_bytes.limit;
}

void SharedBudgets::CloseOldestFrames() {
  ++partial_bytes.hits;
  std::vector<Connection*> frames;
  all_.ForEach([&frames](Connection& one) {
    if (one.partial_held() > 0 && !one.closing()) frames.push_back(&one);
  });
  // Before the older ones go strangers, and those whose peers have sent no more.
  std::sort(frames.begin(), frames.end(), [](const Connection* a, const Connection* b) {
    return std::tuple(a->has_spoken(), a->has_received(), a->frame_begin()) <
           std::tuple(b->has_spoken(), b->has_received(), b->frame_begin());
  });
  // Whose turn it is holds much because it was let, and ends soon, one way or the other: the others do not pay for it.
  const size_t enough = partial_bytes.limit - partial_bytes.limit / 10 + (growing_ == nullptr ? 0 : growing_->partial_held());
  for (Connection* one : frames) {
    if (partial_bytes.used < enough) return;
    if (one != growing_) one->Evict("half frames fill the memory for frames, and its is one of the oldest");
  }
}

void SharedBudgets::NoteWait() {
  ++(requests.scarce() ? requests : request_bytes.scarce() ? request_bytes : output_bytes).hits;
  ArmSweep();
}

void SharedBudgets::BeginAnswerWait() {
  ++answer_hits;
  ++answer_waits_;
  ArmSweep();
}

void SharedBudgets::ArmSweep() {
  core::Reactor& reactor = core::Reactor::Current();
  if (!sweep_.armed()) reactor.timers().Arm(sweep_, reactor.now() + kSweepPeriod);
}

// Others wait: peers that hold what they wait for and do nothing with it have less time than usual.
void SharedBudgets::Sweep() {
  const core::MonoTime now = core::Reactor::Current().now();
  const bool frames = !frame_waiters_.empty();
  const bool answers_stand = answer_waits_ > 0 || RequestsScarce() || output_bytes.scarce();
  if (!frames && !answers_stand) return;
  all_.ForEach([&](Connection& one) {
    if (one.closing()) return;
    if (frames && one.FrameStalls(now - kFrameStallMax)) {
      one.Evict("its frame stands still and others wait for the memory");
    } else if (answers_stand && one.OutputStalls(now - kOutputStallMax)) {
      ++output_stall_closes;
      one.Evict("it does not take its answers and others wait for the memory");
    }
  });
  // Whose turn it is, and makes no use of it, waits again.
  if (growing_ != nullptr && !growing_->has_received() && growing_->last_received() < now - kSweepPeriod)
    growing_ = nullptr;
  if (frames) GrantFrame();
  ArmSweep();
}

void SharedBudgets::AddMetrics(core::MetricRegistry& registry) {
  registry.Add([this](core::MetricSink& sink) {
    core::Budget answer_bytes;
    answer_bytes.limit = answers.capacity();
    answer_bytes.used = answers.used();
    answer_bytes.hits = answer_hits;
    core::Budget pinned_bytes;
    pinned_bytes.limit = limits_.pinned_bytes_max;
    pinned_bytes.used = pinned.bytes();
    pinned_bytes.hits = pinned.refused();
    connection_requests.used = connection_request_bytes.used = connection_output.used = address_connections.used = 0;
    all_.ForEach([this](Connection& one) {
      connection_requests.used = std::max(connection_requests.used, one.requests());
      connection_request_bytes.used = std::max(connection_request_bytes.used, one.request_bytes());
      connection_output.used = std::max(connection_output.used, one.output_bytes());
    });
    for (const auto& [key, address] : addresses_) {
      address_connections.used = std::max(address_connections.used, address.connections);
    }
    sink.Budget("connections", connections);
    sink.Budget("address_connections", address_connections);
    sink.Budget("accepts_per_second", accepts);
    sink.Budget("partial_frame_bytes", partial_bytes);
    sink.Budget("requests", requests);
    sink.Budget("request_bytes", request_bytes);
    sink.Budget("connection_requests", connection_requests);
    sink.Budget("connection_request_bytes", connection_request_bytes);
    sink.Budget("connection_output_bytes", connection_output);
    sink.Budget("answer_bytes", answer_bytes);
    sink.Budget("output_bytes", output_bytes);
    sink.Budget("pinned_log_bytes", pinned_bytes);
    const auto closed = [&sink](std::string_view reason, uint64_t times) {
      sink.Counter("ringmq_connections_cut_off_total", "Connections closed for a deadline.", "reason", reason,
                   static_cast<double>(times));
    };
    closed("frame_deadline", frame_deadline_closes);
    closed("output_stalled", output_stall_closes);
    closed("idle", idle_closes);
    sink.Counter("ringmq_bodies_refused_total", "Large frames refused by their header, their body thrown away.",
                 static_cast<double>(bodies_refused));
    sink.Counter("ringmq_connections_accepted_total", "Connections taken.", static_cast<double>(accepted));
  });
}

}  // namespace net
