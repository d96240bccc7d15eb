#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/frame_template.h"
#include "bench/link.h"
#include "bench/worker.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/record.h"

namespace bench {
namespace {

constexpr int32_t kFirstOpaque = 1'000'000'000;
constexpr int32_t kMessagesPerPull = 32;
constexpr int64_t kSuspendMs = 5000;
constexpr int32_t kFound = 0;
constexpr int32_t kPullNotFound = 19;
constexpr int32_t kPullRetryImmediately = 20;

/// One connection's pulls: each of its queues has one pull under way, found again by its opaque.
class Consumer final : public ResponseHandler {
 public:
  Consumer(const Share& share, bool tail, int64_t* live_messages)
      : share_(share),
        options_(*share.options),
        tail_(tail),
        frame_(FrameTemplate::Pull(options_.topic, options_.group, kMessagesPerPull, tail ? kSuspendMs : 0)),
        live_messages_(live_messages) {}

  void AddQueue(int32_t queue) {
    queues_.push_back({queue, share_.queue_offsets[static_cast<size_t>(queue)],
                       tail_ ? INT64_MAX : share_.queue_ends[static_cast<size_t>(queue)]});
  }

  core::Task<absl::Status> Open() {
    CO_ASSIGN_OR_RETURN(link_, co_await Link::Open(share_.broker));
    link_->Start(*this);
    co_return absl::OkStatus();
  }

  core::Task<void> Run() {
    for (size_t i = 0; i < queues_.size(); ++i) PullNext(i);
    while (link_->status().ok() && tally_.status.ok() && open_queues_ > 0) {
      const core::WaitResult waited = co_await changed_.Wait(Now() + absl::Milliseconds(50));
      static_cast<void>(waited);
      if (tail_ && Now() >= share_.measure_until) break;
    }
    if (!link_->status().ok()) tally_.status = link_->status();
    co_await link_->Close();
  }

  const Tally& tally() const { return tally_; }

 private:
  struct Queue {
    int32_t id;
    int64_t next;
    int64_t end;
  };
  static core::MonoTime Now() { return core::Reactor::Current().io().Now(); }

  void PullNext(size_t index) {
    Queue& queue = queues_[index];
    if (queue.next >= queue.end) return;
    ++open_queues_;
    frame_.SetOpaque(kFirstOpaque + static_cast<int32_t>(index));
    frame_.SetQueue(queue.id);
    frame_.SetQueueOffset(queue.next);
    link_->Send(frame_.bytes());
  }

  void OnResponse(const Response& response) override {
    const auto index = static_cast<size_t>(response.opaque - kFirstOpaque);
    if (index >= queues_.size()) {
      tally_.status = absl::DataLossError("the broker answered a pull that was not sent");
      return;
    }
    --open_queues_;
    if (response.code == kFound) {
      TakeRecords(queues_[index], response.body);
    } else if (response.code != kPullNotFound && response.code != kPullRetryImmediately) {
      ++tally_.errors[response.code];
      tally_.status = absl::InternalError(
          core::StrCat("a pull was answered with code ", response.code, ": ", std::string(response.header)));
    }
    if (tally_.status.ok()) PullNext(index);
    if (open_queues_ == 0) changed_.NotifyAll();
  }

  void TakeRecords(Queue& queue, std::span<const std::byte> body) {
    const core::MonoTime now = Now();
    const bool counted = now >= share_.measure_from && (!tail_ || now < share_.measure_until);
    while (!body.empty()) {
      const absl::StatusOr<store::RecordView> parsed = store::ParseRecord(body);
      if (!parsed.ok()) {
        tally_.status = core::Annotate(parsed.status(), "a pull returned bytes that are no record");
        return;
      }
      const store::RecordView& record = *parsed;
      body = body.subspan(record.bytes);
      if (record.queue_offset.value() != queue.next) ++tally_.out_of_order;
      queue.next = record.queue_offset.value() + 1;
      ++*live_messages_;
      if (!counted) continue;
      ++tally_.messages;
      tally_.bytes += static_cast<int64_t>(record.body.size());
      if (tail_ && record.body.size() >= sizeof(int64_t)) {
        int64_t stamp = 0;
        std::memcpy(&stamp, record.body.data(), sizeof stamp);
        tally_.latency_ns.Record(static_cast<uint64_t>(std::max<int64_t>(0, now.nanos - stamp)));
      }
    }
  }

  const Share& share_;
  const Options& options_;
  const bool tail_;
  FrameTemplate frame_;
  int64_t* live_messages_;
  std::vector<Queue> queues_;
  size_t open_queues_ = 0;  // with a pull under way
  Tally tally_;
  core::Notifier changed_;
  std::unique_ptr<Link> link_;
};

core::Task<Tally> Consume(Share share, bool tail, int64_t* live_messages) {
  const Options& options = *share.options;
  Tally total;
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (int32_t i = 0; i < share.connections; ++i) {
    const int32_t number = share.first_connection + i;
    auto consumer = std::make_unique<Consumer>(share, tail, live_messages);
    for (int32_t queue = number; queue < options.queues; queue += options.connections) consumer->AddQueue(queue);
    const absl::Status opened = co_await consumer->Open();
    if (!opened.ok()) {
      total.status = opened;
      break;
    }
    consumers.push_back(std::move(consumer));
  }
  core::Scope scope;
  for (const auto& consumer : consumers) scope.Spawn(consumer->Run());
  co_await scope.Join();
  for (const auto& consumer : consumers) total.Merge(consumer->tally());
  co_return total;
}

}  // namespace

core::Task<Tally> ConsumeBacklog(Share share, int64_t* live_messages) { return Consume(std::move(share), false, live_messages); }
core::Task<Tally> ConsumeTail(Share share, int64_t* live_messages) { return Consume(std::move(share), true, live_messages); }

}  // namespace bench
