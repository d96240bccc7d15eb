#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace sim {

/// What clients did and saw in one world, and everything about it that must not be. Offsets are queue offsets of the one topic.
class History {
 public:
  enum class Outcome {
    kOpen,      // no answer yet
    kOk,        // acknowledged at `offset`
    kUnknown,   // may exist or not: time-out, lost connection, an answer that leaves it open
    kRefused,   // must never appear
  };
  struct Attempt {
    std::string body;
    int32_t queue = 0;
    int worker = 0;
    absl::Duration invoked;
    absl::Duration completed;
    Outcome outcome = Outcome::kOpen;
    int64_t offset = -1;
  };

  /// A new message of `worker`: its body is unique and `bytes` long or a little more.
  Attempt& Begin(int worker, int32_t queue, size_t bytes, absl::Duration now);
  void Complete(Attempt& attempt, Outcome outcome, int64_t offset, absl::Duration now);
  /// A reader saw `body` at a place. In one lifetime of the data it must be a message somebody sent, and always the same one.
  void Observe(int32_t queue, int64_t offset, std::string_view body, std::string_view where);
  /// Power may be lost without a promise to keep everything: an offset that was read can then come to belong to another message.
  void AllowPlacesToChange() { places_may_change_ = true; }

  /// A power cut without a full promise: what was acknowledged between `lost_from` and the cut may be gone, a suffix of each queue.
  struct Cut {
    absl::Duration at;
    absl::Duration lost_from;
  };
  /// The end: `scanned` holds everything there is, by queue and offset. Nothing acknowledged may be missing but for `cuts`.
  using Scan = std::map<std::pair<int32_t, int64_t>, std::string>;
  void CheckScan(const Scan& scanned, const std::vector<Cut>& cuts);

  void Problem(std::string text) { problems_.push_back(std::move(text)); }
  const std::vector<std::string>& problems() const { return problems_; }
  size_t attempts() const { return attempts_.size(); }
  size_t acknowledged() const { return acknowledged_; }

 private:
  using Places = std::map<std::string, int64_t, std::less<>>;  // body -> offset
  void CheckOrder(const Places& places);
  void CheckLoss(const Attempt& lost, const Places& places, const std::vector<Cut>& cuts);

  std::map<std::string, Attempt, std::less<>> attempts_;  // by body
  std::map<std::pair<int32_t, int64_t>, std::string> seen_;
  std::vector<std::string> problems_;
  bool places_may_change_ = false;
  size_t acknowledged_ = 0;
  uint64_t next_ = 0;
};

}  // namespace sim
