#include "store/key_collector.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "store/message_keys.h"
#include "store/record.h"

namespace store {

void KeyCollector::Begin(uint64_t begin, uint64_t resume) {
  table_.Clear();
  stretch_ = {.begin = begin, .end = begin, .resume = resume};
  last_time_ = 0;
}

bool KeyCollector::Enter(const RecordRef& ref, std::span<const std::byte> bytes) {
  if (ref.position < stretch_.end) return true;
  if (table_.full()) return false;
  stretch_.end = ref.position + ref.bytes;
  const absl::StatusOr<RecordView> record = ParseRecord(bytes);
  if (!record.ok() || record->position != MakePhysicalOffset(log_.log_number, ref.position)) return true;
  AddKeys(ref, record->topic, record->properties, record->store_timestamp);
  return true;
}

bool KeyCollector::Enter(const RecordRef& ref, std::string_view topic, std::string_view properties,
                         core::WallMillis store_time) {
  if (ref.position < stretch_.end) return true;
  if (table_.full()) return false;
  stretch_.end = ref.position + ref.bytes;
  AddKeys(ref, topic, properties, store_time);
  return true;
}

void KeyCollector::AddKeys(const RecordRef& ref, std::string_view topic, std::string_view properties,
                           core::WallMillis time) {
  stretch_.in_order = stretch_.in_order && time >= last_time_;
  last_time_ = time;
  stretch_.time_min = stretch_.time_min == 0 ? time : std::min(stretch_.time_min, time);
  stretch_.time_max = std::max(stretch_.time_max, time);
  if (topic != topic_ || topic_.empty()) {
    topic_ = topic;
    topic_seed_ = KeySeed(log_.store_id, topic_);
  }
  hashes_.clear();
  ForEachKey(properties, [this](std::string_view key) { hashes_.push_back(HashText(topic_seed_, key)); });
  if (hashes_.size() > 1) {
    std::sort(hashes_.begin(), hashes_.end());
    hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
  }
  for (const uint64_t hash : hashes_) table_.Add(hash, ref);
}

}  // namespace store
