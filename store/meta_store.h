#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/task.h"

namespace store {

/// Numbers on disk: never reuse one.
enum class MetaTable : uint8_t {
  kTopics = 1,           // topic -> JSON TopicConfig (log 0)
  kGroups = 2,           // group -> JSON SubscriptionGroupConfig (log 0)
  kConsumerOffsets = 3,  // group \0 topic \0 queueId (decimal) -> offset (decimal); with the queue's shard
  kDroppedTopics = 4,    // topic -> log position below which its records count no more
  kQueueFloors = 5,      // topic \0 queueId -> lowest queue offset that may be given out next (never reuse); has every queue
  kKvConfig = 6,         // namespace \0 key -> value (nameserver)
  kDataVersions = 7,     // name -> JSON DataVersion (log 0)
  kDeletedTopics = 8,    // topic -> "": its configuration is gone, its messages may still be in some log (log 0)
  kLostRanges = 9,       // log position (decimal) -> records lost there whose queues nobody knows, which all floors take into account
  kDue = 10,             // "checkpoint" -> how far the index of waiting messages is on disk (due_index.h); with the log's shard
  kRetention = 11,       // "clock" -> how long ago the log had grown to where (retention_clock.h); with the log's shard
  kLogBegin = 12,        // "position" -> log position before which segments may be gone (decimal); with the log's shard
  kPopBatches = 13,      // messages in flight (broker/pop/in_flight.cc); with the queue's shard
  kPopOrders = 14,       // those that are consumed in order (broker/pop/ordered.cc); with the queue's shard
  kRequestModes = 15,    // topic \0 group -> JSON: whether it pulls or pops (log 0)
  kKeptSettings = 16,    // setting -> what the configuration said, a blank, what was set while running (log 0)
  kUsers = 17,           // user -> JSON User, with its password (log 0)
  kAcls = 18,            // user -> JSON Acl: what it may do (log 0)
};

/// The key of MetaTable::kLogBegin.
inline constexpr std::string_view kLogBeginKey = "position";

struct MetaChange {
  MetaTable table;
  std::string key;
  std::optional<std::string> value;  // nullopt: delete
};

/// Small durable tables: a checksummed append-only log with snapshots. All in memory for reading. One shard; any number of callers:
/// their changes share flushes.
class MetaStore {
 public:
  /// Reads snapshot and log of `directory` (made when missing). Damage at the end that a crash leaves is cut; damage elsewhere is
  /// kDataLoss naming file and offset.
  static core::Task<absl::StatusOr<std::unique_ptr<MetaStore>>> Open(std::string directory);
  virtual ~MetaStore() = default;
  virtual core::Task<absl::Status> Close() = 0;

  /// All of `changes` or none; on stable storage when it returns. Readers see them at once. After a failed write: kUnavailable for ever.
  virtual core::Task<absl::Status> Commit(std::vector<MetaChange> changes) = 0;
  virtual const std::string* Find(MetaTable table, std::string_view key) const = 0;
  virtual const std::map<std::string, std::string, std::less<>>& All(MetaTable table) const = 0;
};

}  // namespace store
