#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace store {

/// What waits in a DueIndex. A log has one index of each; the numbers are on disk.
enum class DueKind : uint32_t {
  kLater = 1,  // messages for later
  kHalf = 2,   // half messages (store/half_record.h)
};

/// The row of MetaTable::kDue with DueCheckpointKey: "VERSION REPLAY-FROM ENTERED-BELOW NEXT-NUMBER" and for each run " NUMBER NEXT TAKEN-BACK-LEFT", all decimal: the log position
/// from which the log has to be read, that below which all that waits or takes back is in the runs, the number of the next run, and of each run how many entries
/// are done with and how many of those left take back.
constexpr std::string_view DueCheckpointKey(DueKind kind) {
  return kind == DueKind::kLater ? "checkpoint" : "transactions";
}
inline constexpr uint64_t kDueCheckpointVersion = 1;

struct DueCheckpoint {
  uint64_t replay_from = 0;
  uint64_t entered_below = 0;
  uint64_t next_number = 0;
  struct Run {
    uint64_t number = 0;
    uint64_t next = 0;
    uint64_t taken_back_left = 0;
  };
  std::vector<Run> runs;
};
std::string EncodeDueCheckpoint(const DueCheckpoint& checkpoint);
/// kDataLoss: it is none, or one of another version. Total.
absl::StatusOr<DueCheckpoint> ParseDueCheckpoint(std::string_view text);

}  // namespace store
