#include "broker/offset_table.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "broker/lmq.h"
#include "broker/row_text.h"
#include "core/log.h"
#include "core/strings.h"

namespace broker {
namespace {

/// group NUL topic NUL queue: names hold no NUL.
std::string MetaKey(std::string_view group, const core::QueueKey& queue) {
  const std::string_view nul("\0", 1);
  return core::StrCat(group, nul, queue.topic, nul, queue.queue_id);
}

bool ParseMetaKey(std::string_view key, std::string& group, core::QueueKey& queue) {
  const size_t first = key.find('\0');
  if (first == std::string_view::npos) return false;
  const size_t second = key.find('\0', first + 1);
  if (second == std::string_view::npos) return false;
  group = key.substr(0, first);
  queue.topic = key.substr(first + 1, second - first - 1);
  return ParseWhole(key.substr(second + 1), queue.queue_id);
}

bool IsOfLmq(std::string_view group, std::string_view topic) { return IsLmq(group) || IsLmq(topic); }

bool EarlierEntry(const OffsetTable::Entry& a, const OffsetTable::Entry& b) {
  if (a.group != b.group) return a.group < b.group;
  return a.queue < b.queue;
}

}  // namespace

size_t OffsetTable::Hash::operator()(const Place& place) const {
  return operator()(View{place.group, place.queue.topic, place.queue.queue_id});
}

size_t OffsetTable::Hash::operator()(const View& view) const {
  return absl::HashOf(core::ToAbsl(view.group), core::ToAbsl(view.topic), view.queue_id);
}

OffsetTable::OffsetTable(store::MetaStore& meta) : meta_(meta) {
  for (const auto& [key, value] : meta.All(store::MetaTable::kConsumerOffsets)) {
    Place place;
    int64_t offset = 0;
    if (!ParseMetaKey(key, place.group, place.queue) || !ParseWhole(value, offset)) {
      core::LogWarning("consumer offsets: an entry that is not group, topic, queue and number is left alone: ", key);
      continue;
    }
    lmq_rows_ += IsOfLmq(place.group, place.queue.topic) ? 1 : 0;
    table_.emplace(std::move(place), Value{core::LogicalOffset(offset), false});
  }
}

OffsetTable::~OffsetTable() = default;

std::optional<core::LogicalOffset> OffsetTable::Find(std::string_view group, std::string_view topic,
                                                     int32_t queue_id) const {
  const auto it = table_.find(View{group, topic, queue_id});
  if (it == table_.end()) return std::nullopt;
  return it->second.offset;
}

void OffsetTable::Set(const View& view, core::LogicalOffset offset) {
  auto it = table_.find(view);
  if (it == table_.end()) {
    Place place{std::string(view.group), core::QueueKey{std::string(view.topic), view.queue_id}};
    it = table_.emplace(std::move(place), Value{offset, false}).first;
    lmq_rows_ += IsOfLmq(view.group, view.topic) ? 1 : 0;
  } else if (it->second.offset == offset) {
    return;  // clients repeat themselves every 5 s
  }
  it->second.offset = offset;
  if (it->second.dirty) return;
  it->second.dirty = true;
  dirty_.push_back(it->first);
}

bool OffsetTable::HasRoomFor(std::string_view group, std::string_view topic, int32_t queue_id, size_t lmq_rows_max) const {
  return !IsOfLmq(group, topic) || lmq_rows_ < lmq_rows_max || table_.contains(View{group, topic, queue_id});
}

bool OffsetTable::Commit(std::string_view group, std::string_view topic, int32_t queue_id,
                         core::LogicalOffset offset) {
  const View view{group, topic, queue_id};
  if (!resets_.empty() && resets_.contains(view)) return false;
  Set(view, offset);
  return true;
}

void OffsetTable::Reset(std::string_view group, std::string_view topic, int32_t queue_id, core::LogicalOffset offset,
                        Consumers consumers) {
  Set(View{group, topic, queue_id}, offset);
  Place place{std::string(group), core::QueueKey{std::string(topic), queue_id}};
  resets_.insert_or_assign(std::move(place), Pending{offset, consumers});
}

std::optional<core::LogicalOffset> OffsetTable::TakeReset(std::string_view group, std::string_view topic,
                                                          int32_t queue_id, core::LogicalOffset from) {
  if (resets_.empty()) return std::nullopt;
  const auto it = resets_.find(View{group, topic, queue_id});
  if (it == resets_.end()) return std::nullopt;
  const Pending reset = it->second;
  resets_.erase(it);
  // One that has come since begins there by itself; telling it all the same would cost a Java client of 4.9 ten seconds.
  if (reset.consumers == Consumers::kNone && from == reset.offset) return std::nullopt;
  return reset.offset;
}

template <typename Matches>
void OffsetTable::Remove(Matches matches) {
  for (auto it = table_.begin(); it != table_.end();) {
    if (matches(it->first)) {
      removed_.push_back(it->first);
      lmq_rows_ -= IsOfLmq(it->first.group, it->first.queue.topic) ? 1 : 0;
      table_.erase(it++);
    } else {
      ++it;
    }
  }
  absl::erase_if(resets_, [&matches](const auto& reset) { return matches(reset.first); });
}

void OffsetTable::Clone(std::string_view source, std::string_view target, std::string_view topic) {
  if (source == target) return;
  const std::vector<Entry> entries = OfGroup(source, topic);
  Remove([target, topic](const Place& place) { return place.group == target && place.queue.topic == topic; });
  for (const Entry& entry : entries) Set(View{target, topic, entry.queue.queue_id}, entry.offset);
}

void OffsetTable::RemoveTopic(std::string_view topic) {
  Remove([topic](const Place& place) { return place.queue.topic == topic; });
}

void OffsetTable::RemoveGroup(std::string_view group) {
  Remove([group](const Place& place) { return place.group == group; });
}

template <typename Matches>
std::vector<OffsetTable::Entry> OffsetTable::Collect(Matches matches) const {
  std::vector<Entry> entries;
  for (const auto& [place, value] : table_) {
    if (matches(place)) entries.push_back({place.group, place.queue, value.offset});
  }
  std::sort(entries.begin(), entries.end(), EarlierEntry);  // a hash table's order is not the same twice
  return entries;
}

std::vector<OffsetTable::Entry> OffsetTable::OfGroup(std::string_view group, std::string_view topic) const {
  return Collect([group, topic](const Place& place) {
    return place.group == group && (topic.empty() || place.queue.topic == topic);
  });
}

std::vector<OffsetTable::Entry> OffsetTable::OfTopic(std::string_view topic) const {
  return Collect([topic](const Place& place) { return place.queue.topic == topic; });
}

std::vector<std::string> OffsetTable::GroupsOf(std::string_view topic) const {
  absl::flat_hash_set<std::string> groups;
  for (const auto& [place, value] : table_) {
    if (topic.empty() || place.queue.topic == topic) groups.insert(place.group);
  }
  std::vector<std::string> sorted(groups.begin(), groups.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::vector<OffsetTable::Entry> OffsetTable::All() const {
  return Collect([](const Place&) { return true; });
}

size_t OffsetTable::CutAtEnds(const std::function<core::LogicalOffset(const core::QueueKey&)>& end_of) {
  size_t cut = 0;
  for (const Entry& entry : All()) {
    const core::LogicalOffset end = end_of(entry.queue);
    if (entry.offset <= end) continue;
    Set(View{entry.group, entry.queue.topic, entry.queue.queue_id}, end);
    ++cut;
  }
  return cut;
}

store::MetaChange OffsetTable::RowOf(std::string_view group, const core::QueueKey& queue) const {
  store::MetaChange change{store::MetaTable::kConsumerOffsets, MetaKey(group, queue), std::nullopt};
  if (const auto it = table_.find(View{group, queue.topic, queue.queue_id}); it != table_.end()) change.value = core::StrCat(it->second.offset.value());
  return change;
}

core::Task<absl::Status> OffsetTable::Flush() {
  // What another call is about to make durable is not dirty any more, and not durable yet.
  const core::Semaphore::Hold turn = co_await flushing_.Take(1);
  if (dirty_.empty() && removed_.empty()) co_return absl::OkStatus();
  std::vector<store::MetaChange> changes;
  changes.reserve(dirty_.size() + removed_.size());
  std::sort(removed_.begin(), removed_.end());
  for (const Place& place : removed_) {
    if (table_.contains(place)) continue;  // committed anew since: among the dirty
    changes.push_back({store::MetaTable::kConsumerOffsets, MetaKey(place.group, place.queue), std::nullopt});
  }
  for (const Place& place : dirty_) {
    const auto it = table_.find(place);
    if (it == table_.end() || !it->second.dirty) continue;
    it->second.dirty = false;
    changes.push_back({store::MetaTable::kConsumerOffsets, MetaKey(place.group, place.queue),
                       core::StrCat(it->second.offset.value())});
  }
  const std::vector<Place> removed = std::exchange(removed_, {});
  const std::vector<Place> dirty = std::exchange(dirty_, {});
  absl::Status status = co_await meta_.Commit(std::move(changes));
  if (status.ok()) co_return status;
  // Not one of them is durable: the next call, and the last one of a stop, must say so again.
  removed_.insert(removed_.end(), removed.begin(), removed.end());
  for (const Place& place : dirty) {
    const auto it = table_.find(place);
    if (it == table_.end() || it->second.dirty) continue;
    it->second.dirty = true;
    dirty_.push_back(place);
  }
  co_return status;
}

}  // namespace broker
