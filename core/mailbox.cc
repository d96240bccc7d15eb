#include "core/mailbox.h"

#include "core/assert.h"

namespace core {

bool SpscRing::TryPush(ShardMessage* message) {
  const size_t tail = tail_.load(std::memory_order_relaxed);
  if (tail - cached_head_ == kCapacity) {
    cached_head_ = head_.load(std::memory_order_acquire);
    if (tail - cached_head_ == kCapacity) return false;
  }
  slots_[tail % kCapacity] = message;
  tail_.store(tail + 1, std::memory_order_release);
  return true;
}

ShardMessage* SpscRing::TryPop() {
  const size_t head = head_.load(std::memory_order_relaxed);
  if (head == tail_.load(std::memory_order_acquire)) return nullptr;
  ShardMessage* message = slots_[head % kCapacity];
  head_.store(head + 1, std::memory_order_release);
  return message;
}

Mailboxes::Mailboxes(size_t shard_count) : shard_count_(shard_count), sleeping_(shard_count) {
  CORE_ASSERT(shard_count > 0);
  rings_.reserve(shard_count * shard_count);
  for (size_t i = 0; i < shard_count * shard_count; ++i) {
    // A shard calls itself directly, so the diagonal stays empty.
    rings_.push_back(i / shard_count == i % shard_count ? nullptr : std::make_unique<SpscRing>());
  }
  for (size_t i = 0; i < shard_count; ++i) {
    auto outbox = std::make_unique<Outbox>();
    outbox->waiting.resize(shard_count);
    outbox->dirty.resize(shard_count);
    outboxes_.push_back(std::move(outbox));
  }
}

void Mailboxes::Send(ShardId from, ShardId to, ShardMessage& message, MonoTime sent) {
  CORE_ASSERT(from != to && to.value() < shard_count_);
  Outbox& outbox = *outboxes_[from.value()];
  outbox.dirty[to.value()] = true;
  message.sent_ = sent;
  Outbox::Waiting& waiting = outbox.waiting[to.value()];
  if (waiting.head == nullptr && RingOf(from, to).TryPush(&message)) return;
  message.next_overflow_ = nullptr;
  if (waiting.head == nullptr) {
    waiting.head = &message;
  } else {
    waiting.tail->next_overflow_ = &message;
  }
  waiting.tail = &message;
  ++outbox.overflow_count;
}

void Mailboxes::PushOverflow(ShardId from, Outbox& outbox) {
  if (outbox.overflow_count == 0) return;
  for (size_t to = 0; to < shard_count_; ++to) {
    Outbox::Waiting& waiting = outbox.waiting[to];
    while (waiting.head != nullptr) {
      ShardMessage* message = waiting.head;
      // Once pushed, the message belongs to the receiver: look at the link before.
      ShardMessage* next = message->next_overflow_;
      if (!RingOf(from, ShardId(static_cast<uint32_t>(to))).TryPush(message)) break;
      waiting.head = next;
      --outbox.overflow_count;
      outbox.dirty[to] = true;
    }
  }
}

size_t Mailboxes::Receive(ShardId to, absl::FunctionRef<void(MonoTime)> measured) {
  size_t ran = 0;
  for (size_t from = 0; from < shard_count_; ++from) {
    if (from == to.value()) continue;
    SpscRing& ring = RingOf(ShardId(static_cast<uint32_t>(from)), to);
    for (size_t i = 0; i < SpscRing::kCapacity; ++i) {
      ShardMessage* message = ring.TryPop();
      if (message == nullptr) break;
      if (message->sent_.nanos != 0) measured(message->sent_);
      message->Run();
      ++ran;
    }
  }
  return ran;
}

bool Mailboxes::MarkSleeping(ShardId shard) {
  sleeping_[shard.value()].flag.store(true, std::memory_order_release);
  // Pairs with the fence in FlushWakes.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!HasMessages(shard)) return true;
  MarkAwake(shard);
  return false;
}

bool Mailboxes::HasMessages(ShardId to) const {
  for (size_t from = 0; from < shard_count_; ++from) {
    if (from == to.value()) continue;
    if (!RingOf(ShardId(static_cast<uint32_t>(from)), to).empty()) return true;
  }
  return false;
}

void Mailboxes::DiscardAll() {
  for (uint32_t from = 0; from < shard_count_; ++from) {
    for (uint32_t to = 0; to < shard_count_; ++to) {
      if (from == to) continue;
      while (ShardMessage* message = RingOf(ShardId(from), ShardId(to)).TryPop()) message->Discard();
      ShardMessage*& waiting = outboxes_[from]->waiting[to].head;
      while (waiting != nullptr) {
        ShardMessage* message = waiting;
        waiting = message->next_overflow_;
        message->Discard();
      }
    }
    outboxes_[from]->overflow_count = 0;
  }
}

}  // namespace core
