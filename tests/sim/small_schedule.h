#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/task.h"
#include "store/due_index.h"
#include "tests/sim/small_store.h"

namespace store {

/// The topic, of one queue, to which messages for later come at their time.
inline constexpr std::string_view kLaterTopic = "later";

/// Messages for later in a small store: what broker::Schedule does, on the index alone, with so little of it in memory that runs, merges and checkpoints come
/// soon. What it tells goes into a Told, as of any other message. One shard, one caller.
class SmallSchedule {
 public:
  /// `memory_entries`: as of DueIndexOptions. `opened` and `told` outlive it.
  static core::Task<absl::StatusOr<std::unique_ptr<SmallSchedule>>> Open(SmallStore& opened, Told& told,
                                                                         Durability durability,
                                                                         size_t memory_entries = 3);
  /// Notes how far all is and closes the files of the index.
  core::Task<absl::Status> Close();

  /// Stores a message that comes in `after`.
  core::Task<absl::Status> Store(std::string body, absl::Duration after);
  /// Takes back the message whose waiting record has that body, if it still waits.
  core::Task<absl::Status> TakeBack(std::string body);
  /// Delivers all whose time has come. kInternal: one came before it.
  core::Task<absl::Status> DeliverDue();
  /// Times that the index was made anew from the log.
  uint64_t made_anew() const { return index_->made_anew(); }

 private:
  SmallSchedule(SmallStore& opened, Told& told, Durability durability)
      : opened_(opened), told_(told), durability_(durability) {}
  core::Task<absl::Status> DeliverSome();
  core::Task<absl::Status> Upkeep();
  /// Appends one record that has to do with waiting, and notes its answer. The index is to be told before `begun.pending` is waited for.
  core::Task<absl::StatusOr<BegunAppend>> Begin(std::string topic, std::string body, std::string properties,
                                                int64_t link);
  core::Task<absl::Status> End(BegunAppend begun, std::string topic, std::string body);

  SmallStore& opened_;
  Told& told_;
  const Durability durability_;
  std::unique_ptr<DueIndex> index_;
  bool damaged_ = false;
};

/// What `seen` shows of the messages for later in `told`, all of whose times have come: those that did not, and those that did although they were taken back. What
/// damage took excuses.
std::vector<std::string> LaterContradictions(const Told& told, const Seen& seen);

}  // namespace store
