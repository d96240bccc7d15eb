#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/sim/world.h"
#include "core/task.h"
#include "store/data_folder.h"
#include "store/manifest.h"

namespace store {

/// How many states of a disk a test looks at: RINGMQ_SIM_STATES, else as many as RINGMQ_SIM_SEEDS, else 1,000.
uint64_t StateCount();
/// The first of them: RINGMQ_SIM_FIRST, else 1.
uint64_t FirstState();
/// What belongs to a failure in this state: the commit, and the command that looks at it again.
std::string AgainState(uint64_t state);

using Place = std::pair<std::string, int64_t>;  // topic (of one queue), queue offset

/// What the outside was told about messages. Lives outside of the world that dies.
struct Told {
  struct Message {
    std::string body;
    uint64_t position = 0;  // in the log
    uint64_t bytes = 0;     // of the whole record; the next one of its batch follows at once
    bool synced = false;
  };
  std::map<Place, Message> acknowledged;
  std::set<std::string> sent;     // every body that was handed over
  std::set<std::string> refused;  // their senders were told that they are not stored and never will be

  /// A message that was stored to wait for its time (small_schedule.h).
  struct Later {
    Place place;                      // of its waiting record, which was acknowledged
    bool taking_back = false;         // that was asked for, so it may be gone
    std::optional<Place> taken_back;  // the record that does it, acknowledged as well
  };
  std::map<std::string, Later> later;  // by the body of the waiting record
  std::set<uint64_t> given_up;         // log positions of waiting records that could not be read at their time
};

/// What a store shows.
struct Seen {
  std::map<Place, std::string> messages;
  std::set<Place> keyed;  // those of Send, with keys: KeyOf, and their tag
  std::map<std::string, std::pair<int64_t, int64_t>> ranges;  // topic -> first offset, one past the last
  uint64_t damaged_records = 0;
  uint64_t damaged_bytes = 0;
};

/// A data folder with one log, opened as a broker does.
struct SmallStore {
  Manifest manifest;
  std::unique_ptr<DataFolder> folder;
  ShardStore& log() { return folder->store(); }
  MetaStore& meta() { return folder->meta(); }
};
/// An append buffer of 1 MiB, otherwise as they are.
StoreOptions SmallStoreOptions(Durability durability);
/// A run that reads what is there and, if it is to, writes afterwards.
struct Reopening {
  Told* told;  // what is delivered in this run comes to it
  Durability durability;
  bool write;
  Seen seen = {};
  uint64_t made_anew = 0;  // the index of what waits
};
/// With segments of 256 KiB and `data` as the folder.
core::Task<absl::StatusOr<SmallStore>> OpenSmall(StoreOptions options, uint32_t log_number = 0, uint32_t logs = 1);
core::Task<absl::Status> CloseSmall(SmallStore& opened);

/// The tag of a message with this body.
const char* TagOf(std::string_view body);
/// Its unique key: what BodyOf was told.
std::string_view KeyOf(std::string_view body);
/// Sends one message to queue 0 of `topic`, with a tag and keys that its body decides, and notes the answer.
core::Task<absl::Status> Send(ShardStore& store, Told& told, std::string topic, std::string body,
                              Durability durability);
/// Reads every queue from its first to its last offset, as a consumer of everything and as one of each tag, and looks for each message by its keys. kInternal: a
/// reader makes no progress, sees what is no record, or finds by a tag or key not exactly what has it.
core::Task<absl::Status> ReadEverything(ShardStore& store, const Told& told, Seen& seen);

/// What `seen` shows that contradicts `told`, a line each: what nobody sent, what was refused, what is there twice or in another's place.
std::vector<std::string> Contradictions(const Told& told, const Seen& seen);
/// Acknowledged messages that are not there; `reused` (may be null): the offsets of so many could be given out again.
std::vector<Place> MissingFrom(const Told& told, const Seen& seen, size_t* reused = nullptr);
/// All of them in one text, each on its line.
std::string Lines(const std::vector<std::string>& lines);

/// A body that says what it is in its first bytes, is filled to `bytes`, and is like no other.
std::string BodyOf(const std::string& name, size_t bytes);

}  // namespace store
