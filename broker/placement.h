#pragma once

#include <cstdint>
#include <string_view>

#include "core/types.h"

namespace broker {

/// Which makes and changes topics and groups.
inline constexpr core::ShardId kCatalogShard{0};

/// FNV-1a, 64 bits. Ours and not Abseil's, because where a queue lives is on disk: the answer must be the same in every process, on every
/// machine, for ever.
constexpr uint64_t StableHash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 0x100000001b3u;
  }
  // FNV's low bits are weak for short names that differ in the last letter only, and the low bits are what a remainder takes.
  return hash ^ (hash >> 32);
}

/// Which shard owns what. A value: every shard has the same one, and it never changes while a data folder lives.
class Placement {
 public:
  /// `shards` >= 1: logs of the data folder, which is the number of shards of the process.
  explicit constexpr Placement(uint32_t shards) : shards_(shards) {}

  /// Owner of a message queue: its log, index, consumer offsets, order locks and held pulls. The queues of one topic go round all
  /// shards. Any `queue_id`; a negative one has an owner, too, so that nothing trips over it.
  constexpr core::ShardId OwnerOf(std::string_view topic, int32_t queue_id) const { return OwnerOf(HashOf(topic), queue_id); }
  /// For who asks for many queues of a topic.
  static constexpr uint64_t HashOf(std::string_view topic) { return StableHash(topic); }
  constexpr core::ShardId OwnerOf(uint64_t topic_hash, int32_t queue_id) const {
    return core::ShardId(static_cast<uint32_t>((topic_hash % shards_ + static_cast<uint32_t>(queue_id) % shards_) % shards_));
  }
  core::ShardId OwnerOf(const core::QueueKey& queue) const { return OwnerOf(queue.topic, queue.queue_id); }

  /// The lowest queue of the topic that `shard` owns; below shards().
  constexpr int32_t QueueOn(core::ShardId shard, std::string_view topic) const {
    return static_cast<int32_t>((shard.value() + shards_ - HashOf(topic) % shards_) % shards_);
  }

  /// Owner of a consumer or producer group: members, subscriptions, notifications.
  constexpr core::ShardId OwnerOfGroup(std::string_view group) const {
    return core::ShardId(static_cast<uint32_t>(StableHash(group) % shards_));
  }

  constexpr uint32_t shards() const { return shards_; }

 private:
  uint32_t shards_;
};

}  // namespace broker
