#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/send.h"
#include "core/stage_times.h"
#include "core/stop.h"
#include "core/sync.h"
#include "core/task.h"
#include "net/answer_template.h"
#include "net/router.h"

namespace broker {

/// The way of plain messages (SEND_MESSAGE_V2 to a topic that is there, no retry, no special feature) from their frames into the logs, without a
/// coroutine for each. Those of this shard's own queues are appended as they are read; those of others are gathered and handed to their owner as one
/// message between shards, at the end of the tick or when there are many, and come back likewise. What can't be appended at once takes the store's
/// usual way, in its turn. A send of another kind that is behind it on its connection may overtake it; plain ones keep their order. One lane a shard; its
/// items and groups are touched by one shard at a time.
class SendLane final : public net::DirectHandler {
 public:
  /// `shard` and `handlers` outlive it.
  SendLane(BrokerShard& shard, SendHandlers& handlers);
  ~SendLane();
  SendLane(const SendLane&) = delete;
  SendLane& operator=(const SendLane&) = delete;

  void Start();
  bool Take(net::Connection& connection, net::Frame& frame, const net::RequestCost& cost) override;

 private:
  struct Item;
  class Group;

  Item& NewItem();
  void Recycle(Item& item);
  void HandOver(size_t owner);
  core::Task<void> HandOverLoop();
  /// The rest of an append to a queue of this shard that has to wait.
  core::Task<void> StoreLate(Item& item);
  /// Answers: the item is back.
  void Finish(Item& item);
  void AnswerStored(const Item& item);
  static void Measure(const Item& item);

  BrokerShard& shard_;
  SendHandlers& handlers_;
  const net::AnswerTemplate stored_;  // with traceOn, which may change while the broker runs
  const net::AnswerTemplate stored_untraced_;
  core::Sampler sampler_;
  std::vector<std::unique_ptr<Item>> items_;
  std::vector<Item*> free_items_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<Group*> free_groups_;
  std::vector<Group*> open_;  // by owner; null: nothing is gathered for it
  size_t open_count_ = 0;
  core::Notifier work_;
};

}  // namespace broker
