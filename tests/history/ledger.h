#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "tests/history/event.h"
#include "tests/history/names.h"

namespace history {

/// Worker and operation in one number: 24 and 40 bits.
using OpRef = uint64_t;
inline constexpr int64_t kOpsMax = int64_t{1} << 40;
inline constexpr size_t kWorkersMax = size_t{1} << 24;

enum class Outcome : uint8_t { kOpen, kOk, kUnknown, kRefused };

/// What is known of one sent value.
struct Value {
  int64_t invoked = 0;
  int64_t completed = kAbsent;
  int64_t offset = kAbsent;  // acknowledged; kAbsent also where the acknowledged place is not that of the final message
  int64_t phy = kAbsent;
  uint64_t hash = 0;
  OpRef op = 0;
  int64_t last_offset = kAbsent;  // where it was seen last
  uint32_t last_queue = kNoName;
  uint32_t queue = kNoName;  // kNoName until the client has chosen one
  uint32_t places = 0;       // at how many places it was seen
  uint16_t scan_round = 0;   // of the last scan that met it
  uint8_t copies = 1;
  uint8_t attempts = 1;
  Outcome outcome = Outcome::kOpen;
  bool asynchronous = false;
  bool unplaced = false;  // delayed or transactional: see Unplaced
  bool corrupt = false;   // reported already
  bool gone = false;      // lost within its promise: its offset may belong to another one now
  bool moved = false;
};

/// What is known of a value whose acknowledgement names no place in its queue, because it enters it later.
struct Unplaced {
  int64_t due = kAbsent;
  bool transactional = false;
  int64_t commit_invoked = kAbsent;
  int64_t commit_ok = kAbsent;
  bool rolled_back = false;
  bool judged_late = false;
};

/// A value at an offset.
struct Sighting {
  int64_t known = kAbsent;  // since when: its acknowledgement or the first answer that held it
  int64_t asked = kAbsent;  // when that was invoked: what it says may be as old
  OpRef by = 0;
  int64_t phy = kAbsent;  // as the last scan of the master said
  uint32_t value = kNoName;
  uint16_t scan_round = 0;   // of the last scan of the master that met it
  uint16_t slave_round = 0;  // and of a slave
  bool seen = false;         // in an answer to a pull
};

/// One range of offsets that a scan read, of one round.
struct ScannedRange {
  uint16_t round = 0;
  int64_t begin = kAbsent;
  int64_t end = kAbsent;
  int64_t min = 0;
  int64_t max = kAbsent;
  int64_t at = 0;
  OpRef by = 0;
};

/// An acknowledgement, in the order in which they came.
struct Ack {
  uint32_t value;
  int64_t highest;  // offset acknowledged so far in this queue that no power cut may have taken
};

/// What is known of one queue. Places are kept in pages, since offsets are dense almost always.
class Queue {
 public:
  static constexpr int64_t kPageOffsets = 256;
  using Page = std::array<Sighting, kPageOffsets>;

  /// The first value that was met at `offset`; made empty where there is none.
  Sighting& FirstAt(int64_t offset);
  const Sighting* Find(int64_t offset) const;
  /// All pages by their number, ascending: page n begins with offset n * kPageOffsets.
  std::vector<std::pair<int64_t, const Page*>> Pages() const;

  std::vector<Ack> acks;
  int64_t highest_acked = kAbsent;  // that no power cut may have taken
  int64_t top = 0;                  // one past the highest offset that was ever known, or the end after it went back
  int64_t min = 0;                  // highest minimum that the master gave
  int64_t max = kAbsent;            // the last maximum that the master gave
  int64_t max_at = kAbsent;         // and when the pull for it was invoked
  ScannedRange master, slave;       // of the last scan round
  /// Of unfiltered polls: when invoked, and the highest offset seen; only those that no later one tops.
  std::vector<std::pair<int64_t, int64_t>> tops;
  int64_t lowest_from = INT64_MAX;
  /// What was known to lie at `end` or beyond when a pull began was gone when it was answered.
  struct Truncation {
    int64_t begun;
    int64_t answered;
    int64_t end;
  };
  std::vector<Truncation> truncations;

 private:
  absl::flat_hash_map<int64_t, std::unique_ptr<Page>> pages_;
  int64_t last_number_ = kAbsent;
  Page* last_page_ = nullptr;
};

/// Everything that the events said about values and places.
class Ledger {
 public:
  OpRef RefOf(uint32_t worker, int64_t op) const { return static_cast<OpRef>(worker) << 40 | static_cast<OpRef>(op); }
  std::string NameOf(OpRef op) const;
  std::string NameOf(const Value& value) const { return value_names.TextOf(IdOf(value)); }
  uint32_t IdOf(const Value& value) const { return static_cast<uint32_t>(&value - values.data()); }

  Queue& QueueOf(uint32_t id) {
    if (queues.size() <= id) queues.resize(id + 1);
    return queues[id];
  }
  /// `value` at this place, made when it is new there (`fresh`).
  Sighting& SightingOf(uint32_t queue, int64_t offset, uint32_t value, bool& fresh);
  const Sighting* FindSighting(uint32_t queue, int64_t offset, uint32_t value) const;

  struct Place {
    uint32_t queue;
    int64_t offset;
    bool operator==(const Place&) const = default;
    template <typename H>
    friend H AbslHashValue(H state, const Place& place) {
      return H::combine(std::move(state), place.queue, place.offset);
    }
  };

  Names workers, queue_names, groups, clients;
  ValueNames value_names;
  std::vector<Value> values;  // by id, which is the order of their first events
  absl::flat_hash_map<uint32_t, Unplaced> unplaced;
  std::vector<Queue> queues;
  /// The further values at places where one was known already.
  absl::flat_hash_map<Place, std::vector<Sighting>> others;
  absl::flat_hash_set<Place> strangers;  // where scans met what nobody sent
};

}  // namespace history
