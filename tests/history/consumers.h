#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/history/context.h"

namespace history {

/// What consumers and their groups were given: no gap, nothing again without a reason, committed offsets that stay.
class Consumers {
 public:
  explicit Consumers(Context& context) : context_(context) {}

  void InvokePull(const Event& event, const OpenOperation& open);
  void CompletePull(const Event& event, const OpenOperation& open);
  void InvokeCommit(const Event& event, const OpenOperation& open);
  void CompleteCommit(const Event& event, const OpenOperation& open);
  void CompleteAck(const Event& event, const OpenOperation& open);
  /// The consumer's work changed, or it starts again from a committed offset.
  void Assign(const Event& event, const OpenOperation& open);
  /// The broker's process ended without a chance to persist.
  void Crashed();
  /// What can be told at the end only.
  void Finish();

 private:
  using Id = std::pair<uint32_t, uint32_t>;  // a worker or a group, and a queue
  /// How far one worker has read one queue.
  struct Position {
    int64_t next = kAbsent;  // kAbsent: it may begin anywhere
    OpRef by = 0;
  };
  struct Group {
    std::vector<uint32_t> delivered;  // by value: 1 + the epoch of the last delivery, 0 for never
    uint32_t disturbances = 0;
    uint64_t deliveries = 0;
    uint64_t unexplained = 0;
    OpRef first_unexplained = 0;
    uint32_t first_value = kNoName;
    int64_t first_at = 0;
    int64_t last_at = 0;
  };
  struct Commit {
    int64_t at = 0;
    int64_t offset = 0;
    OpRef op = 0;
  };
  /// What a group did with one queue.
  struct Share {
    int64_t first_from = INT64_MAX;
    int64_t next = kAbsent;
    int64_t at = 0;
    OpRef by = 0;
    bool filtered = false;
    int64_t highest_commit = kAbsent;  // that anyone tried
    Commit old, last;                  // the last one older than the persist interval; op 0: none
    std::vector<Commit> recent;        // younger than the persist interval, oldest first
    bool crashed = false;              // since the last commit
    int64_t lag = 0;
    int64_t lag_at = 0;
    OpRef lag_by = 0;
  };

  Group& GroupOf(uint32_t id) {
    if (groups_.size() <= id) groups_.resize(id + 1);
    return groups_[id];
  }
  void CheckContinuity(const Event& event, const OpenOperation& open);
  void FlagSkip(const OpenOperation& open, int64_t expected, int64_t got, OpRef before, const std::string& why);
  void Deliver(const Message& message, const Event& event, const OpenOperation& open);
  void CheckResume(const Event& event, const OpenOperation& open, Share& share);
  void Age(Share& share) const;
  void CheckUnseen(uint32_t group, uint32_t queue, const Share& share);

  Context& context_;
  absl::flat_hash_map<Id, Position> positions_;
  absl::flat_hash_map<Id, Share> shares_;
  std::vector<Group> groups_;
};

}  // namespace history
