#include "broker/pop/in_flight.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "broker/row_text.h"
#include "core/assert.h"
#include "core/log.h"

namespace broker {
namespace {

using store::MetaTable;

// Of a queue: group NUL topic NUL queue. Names hold no NUL.
std::string QueueKeyOf(const PopQueue& queue) {
  const std::string_view nul("\0", 1);
  return core::StrCat(queue.group, nul, queue.queue.topic, nul, queue.queue.queue_id);
}

bool ParseQueueKey(std::string_view& key, std::string& group, core::QueueKey& queue) {
  group = CutAt(key, '\0');
  queue.topic = CutAt(key, '\0');
  return ParseWhole(CutAt(key, '\0'), queue.queue_id);
}

// A row of batches: group NUL topic NUL queue NUL start NUL pop time -> invisible time, blank, where its copies begin (or -), blank, pending (OffsetBits).
std::string KeyOf(const PopQueue& queue, PopQueue::Name batch) {
  const std::string_view nul("\0", 1);
  return core::StrCat(QueueKeyOf(queue), nul, batch.first, nul, batch.second);
}

std::string ValueOf(const PopBatch& batch) {
  const std::string copies = batch.copies_from.has_value() ? absl::StrCat(*batch.copies_from) : "-";
  return absl::StrCat(batch.invisible, " ", copies, " ", batch.pending.Text());
}

bool ParseRow(std::string_view key, std::string_view value, std::string& group, core::QueueKey& queue,
              PopBatch& batch) {
  if (!ParseQueueKey(key, group, queue) || !ParseWhole(CutAt(key, '\0'), batch.start) ||
      !ParseWhole(key, batch.pop_time))
    return false;
  if (!ParseWhole(CutAt(value, ' '), batch.invisible)) return false;
  const std::string_view copies = CutAt(value, ' ');
  if (copies != "-") {
    int64_t from = 0;
    if (!ParseWhole(copies, from)) return false;
    batch.copies_from = from;
  }
  const std::optional<OffsetBits> pending = OffsetBits::Parse(value);
  if (!pending.has_value() || batch.start < 0) return false;
  batch.pending = *pending;
  return true;
}

}  // namespace

core::WallMillis PopBatch::due() const {
  constexpr core::WallMillis kMax = std::numeric_limits<core::WallMillis>::max();
  return invisible > kMax - pop_time ? kMax : pop_time + invisible;
}

PopInFlight::PopInFlight(const store::MetaStore& meta, size_t messages_max) : messages_max_(messages_max) {
  for (const auto& [key, value] : meta.All(MetaTable::kPopBatches)) {
    std::string group;
    core::QueueKey queue;
    PopBatch batch;
    if (!ParseRow(key, value, group, queue, batch)) {
      core::LogWarning("popped messages: an entry that names no batch of them is left alone: ", key);
      continue;
    }
    Enter(*Of(group, queue.topic, queue.queue_id), std::move(batch));
  }
  for (const auto& [name, value] : meta.All(MetaTable::kPopOrders)) {
    std::string_view key = name;
    std::string group;
    core::QueueKey queue;
    std::optional<OrderedBatch> batch = OrderedBatch::Parse(value);
    if (!ParseQueueKey(key, group, queue) || !batch.has_value()) {
      core::LogWarning("messages popped in order: an entry that names none is left alone: ", name);
      continue;
    }
    Of(group, queue.topic, queue.queue_id)->ordered = std::move(batch);
  }
}

std::shared_ptr<PopQueue> PopInFlight::Of(std::string_view group, std::string_view topic, int32_t queue_id) {
  std::shared_ptr<PopQueue> found = Find(group, topic, queue_id);
  if (found != nullptr) return found;
  found = std::make_shared<PopQueue>();
  found->group = group;
  found->queue = {std::string(topic), queue_id};
  found->number = next_number_++;
  queues_.insert(found);
  by_number_.emplace(found->number, found);
  return found;
}

std::shared_ptr<PopQueue> PopInFlight::Find(std::string_view group, std::string_view topic, int32_t queue_id) const {
  const auto it = queues_.find(View{group, topic, queue_id});
  return it == queues_.end() ? nullptr : *it;
}

std::vector<std::shared_ptr<PopQueue>> PopInFlight::FindAll(std::string_view group, std::string_view topic) const {
  std::vector<std::shared_ptr<PopQueue>> found;
  for (const auto& [number, queue] : by_number_) {
    if ((group.empty() || queue->group == group) && (topic.empty() || queue->queue.topic == topic))
      found.push_back(queue);
  }
  return found;
}

void PopInFlight::Drop(std::shared_ptr<PopQueue> queue) {
  constexpr long kOurs = 3;  // queues_, by_number_, the caller
  if (!queue->batches.empty() || queue->ordered.has_value() || queue.use_count() > kOurs) return;
  queues_.erase(queue);
  by_number_.erase(queue->number);
}

void PopInFlight::Enter(PopQueue& queue, PopBatch batch) {
  const PopQueue::Name name{batch.start, batch.pop_time};
  if (const auto same = queue.batches.find(name); same != queue.batches.end()) {
    due_.erase(DueOf(queue, same->second));
    messages_ -= same->second.pending.count();
    queue.batches.erase(same);
  }
  messages_ += batch.pending.count();
  // One that was being copied when the process ended goes on being so, whatever the clock says now: no acknowledgement takes away what is in the retry topic.
  batch.copying = batch.copies_from.has_value();
  batch.listed = batch.copying ? std::numeric_limits<core::WallMillis>::min() : batch.due();
  due_.emplace(DueOf(queue, batch), &queue);
  queue.batches.emplace(name, std::move(batch));
}

void PopInFlight::Note(const PopQueue& queue, const PopBatch& batch, MetaChanges& changes) const {
  changes.push_back({MetaTable::kPopBatches, KeyOf(queue, {batch.start, batch.pop_time}), ValueOf(batch)});
}

void PopInFlight::Add(PopQueue& queue, PopBatch batch, MetaChanges& changes) {
  CORE_ASSERT(!batch.pending.empty());
  Note(queue, batch, changes);
  Enter(queue, std::move(batch));
}

ReceiptState PopInFlight::Judge(const PopQueue& queue, int64_t start, core::WallMillis pop_time, int64_t invisible,
                                int64_t offset, core::WallMillis now) const {
  if (const auto it = queue.batches.find({start, pop_time});
      it != queue.batches.end() && it->second.pending.Test(offset - start)) {
    return it->second.copying ? ReceiptState::kExpired : ReceiptState::kPending;
  }
  // A message whose time was changed is a batch of its own.
  for (auto it = queue.batches.lower_bound({offset, std::numeric_limits<core::WallMillis>::min()});
       it != queue.batches.end() && it->first.first == offset; ++it) {
    if (it->second.pending.Test(0)) return ReceiptState::kReplaced;
  }
  const PopBatch said{.start = start,
                      .pop_time = pop_time,
                      .invisible = invisible,
                      .pending = {},
                      .copies_from = {},
                      .copying = false,
                      .unreadable = 0,
                      .listed = 0};
  return said.due() <= now ? ReceiptState::kExpired : ReceiptState::kDone;
}

void PopInFlight::Erase(PopQueue& queue, std::map<PopQueue::Name, PopBatch>::iterator it, MetaChanges& changes) {
  due_.erase(DueOf(queue, it->second));
  messages_ -= it->second.pending.count();
  changes.push_back({MetaTable::kPopBatches, KeyOf(queue, it->first), std::nullopt});
  queue.batches.erase(it);
}

void PopInFlight::Acknowledge(PopQueue& queue, PopQueue::Name batch, std::span<const int64_t> offsets,
                              MetaChanges& changes) {
  const auto it = queue.batches.find(batch);
  CORE_ASSERT(it != queue.batches.end());
  OffsetBits left = it->second.pending;
  for (const int64_t offset : offsets) {
    CORE_ASSERT(left.Test(offset - batch.first));
    left.Clear(static_cast<size_t>(offset - batch.first));
  }
  if (left.empty()) {
    Erase(queue, it, changes);
    return;
  }
  it->second.pending = left;
  messages_ -= offsets.size();
  Note(queue, it->second, changes);
}

core::WallMillis PopInFlight::Change(PopQueue& queue, PopQueue::Name batch, int64_t offset, core::WallMillis now,
                                     int64_t invisible, MetaChanges& changes) {
  PopBatch changed;
  changed.start = offset;
  // Its name must be one that no receipt has had, also within one millisecond or after the clock was set back.
  changed.pop_time = std::max(now, batch.second + 1);
  changed.invisible = invisible;
  changed.pending.Set(0);
  Acknowledge(queue, batch, {&offset, 1}, changes);
  const core::WallMillis pop_time = changed.pop_time;
  Add(queue, std::move(changed), changes);
  return pop_time;
}

void PopInFlight::CutAt(PopQueue& queue, int64_t end, MetaChanges& changes) {
  if (queue.ordered.has_value() && queue.ordered->messages.back().offset >= end) {
    OrderedBatch left = *queue.ordered;
    std::erase_if(left.messages, [end](const OrderedBatch::Message& message) { return message.offset >= end; });
    if (left.messages.empty()) {
      SetOrdered(queue, std::nullopt, changes);
    } else {
      SetOrdered(queue, std::move(left), changes);
    }
  }
  for (auto it = queue.batches.begin(); it != queue.batches.end();) {
    const auto one = it++;
    PopBatch& batch = one->second;
    OffsetBits left = batch.pending;
    left.CutAt(static_cast<size_t>(std::clamp<int64_t>(end - batch.start, 0, OffsetBits::kMax)));
    if (left == batch.pending) continue;
    if (left.empty()) {
      Erase(queue, one, changes);
      continue;
    }
    messages_ -= batch.pending.count() - left.count();
    batch.pending = left;
    Note(queue, batch, changes);
  }
}

void PopInFlight::Remove(PopQueue& queue, PopQueue::Name batch, MetaChanges& changes) {
  if (const auto it = queue.batches.find(batch); it != queue.batches.end()) Erase(queue, it, changes);
}

void PopInFlight::SetOrdered(PopQueue& queue, std::optional<OrderedBatch> batch, MetaChanges& changes) {
  if (!batch.has_value() && !queue.ordered.has_value()) return;
  queue.ordered = std::move(batch);
  changes.push_back({MetaTable::kPopOrders, QueueKeyOf(queue), std::nullopt});
  if (queue.ordered.has_value()) changes.back().value = queue.ordered->Text();
  queue.unblocked.NotifyAll();
}

void PopInFlight::RemoveAll(PopQueue& queue, MetaChanges& changes) {
  SetOrdered(queue, std::nullopt, changes);
  while (!queue.batches.empty()) Erase(queue, queue.batches.begin(), changes);
}

core::WallMillis PopInFlight::NextDue() const {
  return due_.empty() ? std::numeric_limits<core::WallMillis>::max() : std::get<0>(due_.begin()->first);
}

std::vector<std::pair<std::shared_ptr<PopQueue>, PopQueue::Name>> PopInFlight::TakeDue(core::WallMillis now,
                                                                                       size_t messages) {
  std::vector<std::pair<std::shared_ptr<PopQueue>, PopQueue::Name>> taken;
  size_t count = 0;
  while (!due_.empty() && count < messages && std::get<0>(due_.begin()->first) <= now) {
    const auto [due, number, name] = due_.begin()->first;
    PopQueue& queue = *due_.begin()->second;
    due_.erase(due_.begin());
    PopBatch& batch = queue.batches.at(name);
    batch.copying = true;
    count += batch.pending.count();
    taken.emplace_back(by_number_.at(number), name);
  }
  return taken;
}

void PopInFlight::PutBack(PopQueue& queue, PopBatch& batch, core::WallMillis when) {
  batch.listed = when;
  due_.emplace(DueOf(queue, batch), &queue);
}

}  // namespace broker
