#include "broker/send_lane.h"

#include <optional>
#include <utility>

#include "core/decimal.h"
#include "core/mailbox.h"
#include "core/reactor.h"
#include "net/connection.h"
#include "net/frame_encoder.h"

namespace broker {
namespace {

/// More are not gathered: the other shard may begin while this one reads on.
constexpr size_t kGroupItemsMax = 32;

}  // namespace

/// A message on its way. Its frame's memory stays on the shard that received it.
struct SendLane::Item {
  net::Connection* connection = nullptr;
  net::RequestCost cost;
  int32_t opaque = 0;
  net::SerializeType serialize_type = net::SerializeType::kJson;
  bool oneway = false;
  core::Slice bytes;
  SendHandlers::PlainSend plain;

  // What the queue's owner has made of it.
  absl::Status status;
  core::LogicalOffset queue_offset;
  core::PhysicalOffset position;
  store::BegunAppend begun;

  // One of many is measured: when it was ready for its queue (else 0), was taken up by the queue's owner, was in the log, and had what its sender waits for.
  core::MonoTime ready;
  core::MonoTime taken;
  core::MonoTime appended;
  core::MonoTime kept;

  /// On the owner, without waiting. True: it is stored, and its promise holds.
  bool Begin(store::ShardStore& store) {
    if (ready.nanos != 0) taken = core::Reactor::Current().Clock();
    std::optional<store::BegunAppend> append = store.BeginAppend(plain.message.draft, plain.durability);
    if (!append.has_value()) return false;
    if (ready.nanos != 0) appended = kept = core::Reactor::Current().Clock();
    queue_offset = append->queue_offset;
    position = append->position;
    if (append->pending == nullptr) return true;
    begun = *std::move(append);
    return false;
  }

  /// On the owner, after Begin was false: what there was to wait for.
  core::Task<void> End(store::ShardStore& store) {
    if (begun.pending != nullptr) {
      status = co_await store.EndAppend(std::exchange(begun, {}));
      if (ready.nanos != 0) kept = core::Reactor::Current().Clock();
      co_return;
    }
    ready = {};  // appending and waiting are not told apart on this way
    const absl::StatusOr<store::AppendResult> stored = co_await store.Append({&plain.message.draft, 1}, plain.durability);
    status = stored.status();
    if (!stored.ok()) co_return;
    queue_offset = stored->first_queue_offset;
    position = stored->positions.front();
  }
};

/// Messages for queues of one other shard: goes there, stores them, comes back.
class SendLane::Group final : public core::ShardMessage {
 public:
  explicit Group(SendLane& home) : home_(home) {}

  void Begin(core::ShardId owner) {
    owner_ = owner;
    there_ = false;
  }
  void Add(Item& item) { items_.push_back(&item); }
  size_t size() const { return items_.size(); }
  void Send() { core::Reactor::Current().SendTo(owner_, *this); }

  void Run() noexcept override {
    if (there_) {
      for (Item* item : items_) home_.Finish(*item);
      items_.clear();
      home_.free_groups_.push_back(this);
      return;
    }
    there_ = true;
    store::ShardStore& store = home_.shard_.peers().local().store();
    // Held by this loop too: an End that does not wait must not send the group home before all are begun.
    waiting_ = 1;
    for (size_t i = 0; i < items_.size(); ++i) {
      if (i + 1 < items_.size()) __builtin_prefetch(&items_[i + 1]->plain.message.draft);
      if (items_[i]->Begin(store)) continue;
      ++waiting_;
      core::Reactor::Current().call_scope().Spawn(End(*items_[i], store));
    }
    Done();
  }

 private:
  core::Task<void> End(Item& item, store::ShardStore& store) {
    co_await item.End(store);
    Done();
  }
  void Done() {
    if (--waiting_ == 0) core::Reactor::Current().SendTo(home_.shard_.id(), *this);
  }

  SendLane& home_;
  core::ShardId owner_{0};
  std::vector<Item*> items_;
  size_t waiting_ = 0;
  bool there_ = false;
};

SendLane::SendLane(BrokerShard& shard, SendHandlers& handlers)
    : shard_(shard), handlers_(handlers), stored_(handlers.StoredAnswer(true)), stored_untraced_(handlers.StoredAnswer(false)), open_(shard.placement().shards()) {}
SendLane::~SendLane() = default;

void SendLane::Start() { shard_.scope().Spawn(HandOverLoop()); }

SendLane::Item& SendLane::NewItem() {
  if (free_items_.empty()) {
    items_.push_back(std::make_unique<Item>());
    return *items_.back();
  }
  Item& item = *free_items_.back();
  free_items_.pop_back();
  return item;
}

void SendLane::Recycle(Item& item) {
  item.plain.message.Clear();
  item.bytes = {};
  free_items_.push_back(&item);
}

bool SendLane::Take(net::Connection& connection, net::Frame& frame, const net::RequestCost& cost) {
  net::SendMessageV2Request header;
  if (!net::DecodeHeader(frame, header).ok()) return false;
  Item& item = NewItem();
  if (!handlers_.PreparePlain(connection, frame, header, item.plain)) {
    Recycle(item);
    return false;
  }
  core::Reactor::Current().SetActivity("request", frame.code);
  item.connection = &connection;
  item.cost = cost;
  item.opaque = frame.opaque;
  item.serialize_type = frame.serialize_type;
  item.oneway = frame.is_oneway();
  item.bytes = std::move(frame.bytes);  // the body lies in it too
  item.status = absl::OkStatus();
  connection.BeginDirect();
  item.ready = sampler_.Next() ? core::Reactor::Current().Clock() : core::MonoTime{};

  const core::ShardId owner = item.plain.owner;
  if (owner == shard_.id()) {
    if (item.Begin(shard_.store())) {
      Finish(item);
    } else {
      shard_.scope().Spawn(StoreLate(item));
    }
    return true;
  }
  Group*& group = open_[owner.value()];
  if (group == nullptr) {
    if (free_groups_.empty()) {
      groups_.push_back(std::make_unique<Group>(*this));
      free_groups_.push_back(groups_.back().get());
    }
    group = free_groups_.back();
    free_groups_.pop_back();
    group->Begin(owner);
    if (open_count_++ == 0) work_.NotifyAll();
  }
  group->Add(item);
  if (group->size() >= kGroupItemsMax) HandOver(owner.value());
  return true;
}

void SendLane::HandOver(size_t owner) {
  Group* const group = std::exchange(open_[owner], nullptr);
  --open_count_;
  group->Send();
}

core::Task<void> SendLane::HandOverLoop() {
  const core::StopToken stop = shard_.scope().stop_token();
  while (!stop.stop_requested()) {
    if (open_count_ == 0) {
      (void)co_await work_.Wait(stop);
      continue;
    }
    co_await core::EndOfTick();
    for (size_t owner = 0; owner < open_.size(); ++owner) {
      if (open_[owner] != nullptr) HandOver(owner);
    }
  }
}

core::Task<void> SendLane::StoreLate(Item& item) {
  co_await item.End(shard_.store());
  Finish(item);
}

void SendLane::Finish(Item& item) {
  net::Connection& connection = *item.connection;
  if (item.status.ok()) {
    handlers_.CountStored(item.plain);
    if (!item.oneway) AnswerStored(item);
  } else {
    const net::Reply reply = handlers_.Failed(item.status, item.plain.message.draft.queue_id, item.plain.message.uniq_key);
    if (!item.oneway) {
      connection.AnswerDirect({.serialize_type = item.serialize_type,
                               .code = static_cast<int32_t>(reply.code()),
                               .opaque = item.opaque,
                               .flag = net::kFlagResponse,
                               .remark = reply.remark(),
                               .fields = &reply.fields()});
    }
  }
  if (item.ready.nanos != 0) [[unlikely]] Measure(item);
  connection.FinishDirect(item.cost);
  Recycle(item);
}

void SendLane::Measure(const Item& item) {
  core::Reactor& reactor = core::Reactor::Current();
  reactor.stages().Record(core::Stage::kHandOver, item.ready, item.taken);
  reactor.stages().Record(core::Stage::kAppend, item.taken, item.appended);
  reactor.stages().Record(core::Stage::kAcknowledge, item.kept, reactor.Clock());
}

void SendLane::AnswerStored(const Item& item) {
  const PreparedMessage& message = item.plain.message;
  const MessageId id = MessageId::OfRecord(message.draft.store_host, item.position);
  const core::Decimal queue_id(message.draft.queue_id);
  const core::Decimal queue_offset(item.queue_offset.value());
  const net::AnswerTemplate::Value values[] = {{id.text(), true}, {queue_id.text(), true}, {queue_offset.text(), true}, {message.uniq_key}};
  item.connection->AnswerDirect(shard_.config().trace_on ? stored_ : stored_untraced_, item.serialize_type, item.opaque, values);
}

}  // namespace broker
