#include <algorithm>
#include <memory>
#include <vector>

#include "bench/frame_template.h"
#include "bench/link.h"
#include "bench/worker.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"

namespace bench {
namespace {

constexpr int32_t kFirstSendOpaque = 1'000'000'000;
/// Open loop: how many requests may be under way on a connection before new ones wait (their latency counts all the same).
constexpr size_t kOpenLoopSlots = 65536;
/// How late the kernel may wake a sleeper. From then on the clock is watched: the wait for a timer is not the broker's latency.
constexpr absl::Duration kTimerError = absl::Microseconds(100);

/// One connection's sends. A slot is a request under way, found again by its opaque.
class Producer final : public ResponseHandler {
 public:
  Producer(const Share& share, int32_t number, int64_t messages_max, int64_t* live_messages)
      : share_(share),
        options_(*share.options),
        frame_(FrameTemplate::Send(TopicOf(options_, number), options_.group, static_cast<size_t>(options_.size),
                                   options_.batch, options_.deliver_rate > 0)),
        number_(number),
        queue_(number % options_.queues),
        key_(static_cast<uint64_t>(number) << 40),
        requests_left_(messages_max > 0 ? (messages_max + options_.batch - 1) / options_.batch : INT64_MAX),
        live_messages_(live_messages),
        begun_(Now()) {}

  core::Task<absl::Status> Open() {
    CO_ASSIGN_OR_RETURN(link_, co_await Link::Open(share_.broker));
    link_->Start(*this);
    co_return absl::OkStatus();
  }

  core::Task<void> Run() {
    if (options_.rate > 0) {
      co_await RunOpenLoop();
    } else {
      closed_loop_ = true;
      for (int32_t i = 0; i < options_.in_flight; ++i) SendNow(NewSlot(), Now());
    }
    while (link_->status().ok() && (under_way_ > 0 || !Over())) {
      const core::WaitResult waited = co_await changed_.Wait(Now() + absl::Milliseconds(50));
      static_cast<void>(waited);
      if (Over() && Now() > share_.measure_until + absl::Seconds(10)) break;  // the broker owes answers: said below
    }
    if (!link_->status().ok()) tally_.status = link_->status();
    if (link_->status().ok() && under_way_ > 0) {
      tally_.status = absl::DeadlineExceededError(core::StrCat(under_way_, " sends were never answered"));
    }
    co_await link_->Close();
  }

  const Tally& tally() const { return tally_; }

 private:
  static core::MonoTime Now() { return core::Reactor::Current().io().Now(); }
  bool Over() const { return requests_left_ == 0 || Now() >= share_.measure_until; }

  size_t NewSlot() {
    if (!free_.empty()) {
      const size_t slot = free_.back();
      free_.pop_back();
      return slot;
    }
    started_.emplace_back();
    return started_.size() - 1;
  }

  /// `intended`: when this send was due, which is what its latency counts from.
  void SendNow(size_t slot, core::MonoTime intended) {
    if (requests_left_ == 0) return;
    --requests_left_;
    started_[slot] = intended;
    frame_.SetOpaque(kFirstSendOpaque + static_cast<int32_t>(slot));
    frame_.SetQueue(queue_);
    queue_ = (queue_ + 1) % options_.queues;
    frame_.SetUniqueKey(key_++);
    const core::WallMillis wall = core::Reactor::Current().wall_now();
    frame_.SetBornTime(wall);
    core::MonoTime counted_from = intended;
    if (options_.deliver_rate > 0) {
      const int64_t turn = timers_++ * options_.connections + number_;
      const core::MonoTime due = begun_ + absl::Seconds(options_.deliver_after_seconds + static_cast<double>(turn) / options_.deliver_rate);
      counted_from = due;
      // The stamp is to the nanosecond, the broker is told whole milliseconds: the next one, so that nothing is early.
      frame_.SetDeliverTime(wall + absl::ToInt64Milliseconds(due - Now() + absl::Milliseconds(1)));
    }
    frame_.SetStamp(counted_from.nanos);
    link_->Send(frame_.bytes());
    ++under_way_;
  }

  core::Task<void> RunOpenLoop() {
    // The connections take turns, evenly: started all at once, each would wait for the others and call that latency.
    const double per_second = options_.rate / options_.batch;
    const core::MonoTime begin = Now();
    for (int64_t sent = 0; link_->status().ok();) {
      const int64_t turn = sent * options_.connections + number_;
      const core::MonoTime due = begin + absl::Seconds(static_cast<double>(turn) / per_second);
      if (requests_left_ == 0 || due >= share_.measure_until) co_return;
      if (due - kTimerError > Now()) co_await core::Sleep(due - kTimerError);
      while (Now() < due) co_await core::Yield();
      if (under_way_ >= static_cast<int64_t>(kOpenLoopSlots)) {
        const core::WaitResult waited = co_await changed_.Wait(Now() + absl::Milliseconds(50));
        static_cast<void>(waited);
        if (Now() >= share_.measure_until) co_return;
        continue;
      }
      SendNow(NewSlot(), due);
      ++sent;
    }
  }

  void OnResponse(const Response& response) override {
    const auto slot = static_cast<size_t>(response.opaque - kFirstSendOpaque);
    if (slot >= started_.size()) {
      tally_.status = absl::DataLossError("the broker answered a request that was not sent");
      return;
    }
    --under_way_;
    const core::MonoTime now = Now();
    if (response.code != 0) {
      ++tally_.errors[response.code];
    } else if (now >= share_.measure_from && (now < share_.measure_until || options_.messages > 0)) {
      tally_.messages += options_.batch;
      tally_.bytes += int64_t{options_.batch} * options_.size;
      tally_.latency_ns.Record(static_cast<uint64_t>(std::max<int64_t>(0, now.nanos - started_[slot].nanos)));
    }
    *live_messages_ += options_.batch;
    if (closed_loop_ && now < share_.measure_until) {
      SendNow(slot, now);
    } else {
      free_.push_back(slot);
    }
    if (under_way_ == 0 || !closed_loop_) changed_.NotifyAll();
  }

  const Share& share_;
  const Options& options_;
  FrameTemplate frame_;
  const int32_t number_;  // of the connection among all
  int32_t queue_;
  uint64_t key_;
  int64_t requests_left_;
  int64_t* live_messages_;
  const core::MonoTime begun_;
  int64_t timers_ = 0;
  bool closed_loop_ = false;
  int64_t under_way_ = 0;
  std::vector<core::MonoTime> started_;  // by slot
  std::vector<size_t> free_;
  Tally tally_;
  core::Notifier changed_;
  std::unique_ptr<Link> link_;
};

}  // namespace

core::Task<Tally> Produce(Share share, int64_t* live_messages) {
  Tally total;
  std::vector<std::unique_ptr<Producer>> producers;
  const Options& options = *share.options;
  for (int32_t i = 0; i < share.connections; ++i) {
    const int32_t number = share.first_connection + i;
    int64_t messages = options.messages / options.connections;
    if (number < options.messages % options.connections) ++messages;
    if (options.messages > 0 && messages == 0) continue;
    auto producer = std::make_unique<Producer>(share, number, messages, live_messages);
    const absl::Status opened = co_await producer->Open();
    if (!opened.ok()) {
      total.status = opened;
      break;
    }
    producers.push_back(std::move(producer));
  }
  core::Scope scope;
  for (const auto& producer : producers) scope.Spawn(producer->Run());
  co_await scope.Join();
  for (const auto& producer : producers) total.Merge(producer->tally());
  co_return total;
}

}  // namespace bench
