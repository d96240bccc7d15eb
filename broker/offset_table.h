#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/types.h"
#include "store/meta_store.h"

namespace broker {

/// How far each group has consumed each queue that this shard owns, in messages. Changes are in memory at once and in the metadata log at the next
/// Flush, which runs every flushConsumerOffsetInterval and at the end; a crash in between repeats messages and loses none. One shard.
class OffsetTable {
 public:
  struct Entry {
    std::string group;
    core::QueueKey queue;
    core::LogicalOffset offset;
  };

  /// Takes over what `meta` holds. `meta` outlives the table.
  explicit OffsetTable(store::MetaStore& meta);
  ~OffsetTable();

  /// nullopt: the group has never committed this queue.
  std::optional<core::LogicalOffset> Find(std::string_view group, std::string_view topic, int32_t queue_id) const;
  /// Overwrites, also with a lower value. False, and nothing has changed: the offset was reset, and the consumer has not been told yet. Source:
  /// RocketMQ 5.3.3, ConsumerOffsetManager.commitOffset.
  bool Commit(std::string_view group, std::string_view topic, int32_t queue_id, core::LogicalOffset offset);

  /// Whether the group may commit this queue while there are no more than `lmq_rows_max` offsets of light queues (broker/lmq.h) and groups that are named like them.
  bool HasRoomFor(std::string_view group, std::string_view topic, int32_t queue_id, size_t lmq_rows_max) const;

  /// Who consumes a queue when its offset is reset.
  enum class Consumers {
    kNone,    // who comes later asks where to begin
    kOnline,  // members that go on where they are, until a pull is told
  };
  /// Sets the offset for an administrator. Until TakeReset has told a pull, no consumer can commit another one; a restart forgets that part.
  void Reset(std::string_view group, std::string_view topic, int32_t queue_id, core::LogicalOffset offset, Consumers consumers);
  /// Where a pull that was about to read at `from` is to go instead, once a reset: the messages that its consumer still has are behind the reset
  /// and their offsets are not to count. nullopt: it is right as it is.
  std::optional<core::LogicalOffset> TakeReset(std::string_view group, std::string_view topic, int32_t queue_id,
                                               core::LogicalOffset from);

  /// Makes what `target` has committed of `topic` here what `source` has, also where that is nothing.
  void Clone(std::string_view source, std::string_view target, std::string_view topic);

  /// Forgets a deleted topic's or group's offsets.
  void RemoveTopic(std::string_view topic);
  void RemoveGroup(std::string_view group);

  /// What a group has committed here, of one topic or (empty) of all; sorted by topic and queue.
  std::vector<Entry> OfGroup(std::string_view group, std::string_view topic = {}) const;
  /// What all groups have committed here of one topic; sorted by group and queue.
  std::vector<Entry> OfTopic(std::string_view topic) const;
  /// Groups that have committed a queue of `topic` here, or (empty) of any; sorted.
  std::vector<std::string> GroupsOf(std::string_view topic) const;
  /// Everything, sorted.
  std::vector<Entry> All() const;

  /// After a power cut offsets may have survived of messages that did not: they come down to where their queue ends (`end_of` says where), or
  /// what is stored there next would be skipped. Returns how many did; Flush before anything is stored.
  size_t CutAtEnds(const std::function<core::LogicalOffset(const core::QueueKey&)>& end_of);

  /// What Flush would commit of this one now, for who makes it durable together with something else.
  store::MetaChange RowOf(std::string_view group, const core::QueueKey& queue) const;

  /// Makes what has changed since the last call that succeeded durable.
  core::Task<absl::Status> Flush();

 private:
  struct Place {
    std::string group;
    core::QueueKey queue;
    friend auto operator<=>(const Place&, const Place&) = default;
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct View {
    std::string_view group;
    std::string_view topic;
    int32_t queue_id;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const Place& place) const;
    size_t operator()(const View& view) const;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Place& a, const Place& b) const { return a == b; }
    bool operator()(const Place& a, const View& b) const {
      return a.queue.queue_id == b.queue_id && a.queue.topic == b.topic && a.group == b.group;
    }
    bool operator()(const View& a, const Place& b) const { return operator()(b, a); }
  };
  struct Value {
    core::LogicalOffset offset;
    bool dirty = false;
  };
  using Table = absl::flat_hash_map<Place, Value, Hash, Equal>;
  struct Pending {
    core::LogicalOffset offset;
    Consumers consumers = Consumers::kNone;
  };

  void Set(const View& view, core::LogicalOffset offset);
  template <typename Matches>
  void Remove(Matches matches);
  template <typename Matches>
  std::vector<Entry> Collect(Matches matches) const;

  store::MetaStore& meta_;
  Table table_;
  size_t lmq_rows_ = 0;
  absl::flat_hash_map<Place, Pending, Hash, Equal> resets_;  // of which no pull has been told yet
  core::Semaphore flushing_{1};
  std::vector<Place> dirty_;     // each once: Value::dirty
  std::vector<Place> removed_;   // to be deleted from the metadata log
};

}  // namespace broker
