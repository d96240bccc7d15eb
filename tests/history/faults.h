#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/history/event.h"

namespace history {

/// What the nemesis did, and what that excuses.
class Faults {
 public:
  /// `async_window`: how much ASYNC_FLUSH may lose to a power cut, in nanoseconds before it.
  explicit Faults(int64_t async_window) : window_(async_window) {}

  /// A power cut of the master. What ASYNC_FLUSH acknowledged from `lost_from` on may be gone, what was begun after `end` may not.
  struct Cut {
    int64_t begin = 0;
    int64_t end = 0;
    int64_t lost_from = 0;
  };

  /// False: the event neither says what is done nor ends what is under way.
  bool Add(const Event& event);

  const std::vector<Cut>& cuts() const { return cuts_; }
  /// The first cut that may have taken what was begun at `invoked` and known to exist at `known`; null: none.
  const Cut* Excuse(int64_t invoked, int64_t known) const;
  /// Whether a cut ended after `from` and began before `to`.
  bool CutBetween(int64_t from, int64_t to) const;
  /// Records that damage (as opposed to crashes) may have cost; each flipped bit one.
  uint64_t damages() const { return damages_; }
  /// How often something happened after which a message may be delivered again.
  uint32_t disturbances() const { return disturbances_; }
  /// Since when the system has been healed; kAbsent while it is not (or nobody said so).
  int64_t healed_at() const { return healed_at_; }
  /// The number of "scan" events so far, and of the last cut or kill the time.
  uint16_t scan_round() const { return scan_round_; }
  int64_t last_crash() const { return last_crash_; }

  /// The events that overlap a time, in words; empty: none. `origin`: what times count from.
  std::string Overlapping(int64_t begin, int64_t end, int64_t origin) const;

  static constexpr uint64_t kUnlimited = UINT64_MAX;

 private:
  struct Action {
    std::string what;  // with its target
    int64_t begin = 0;
    int64_t end = 0;
    std::string worker;
    int64_t op = kAbsent;
    bool is_cut = false;
  };
  /// Of one process that acknowledges; events name it by their client, no name is a name too.
  struct Life {
    int64_t began = INT64_MIN;
    int64_t disk_failed_at = INT64_MAX;  // since when its flushes may have failed
    int64_t exposed_from = INT64_MAX;    // what earlier lives left unflushed begins here
  };
  void End(Life& life, int64_t at, bool power);

  const int64_t window_;
  std::vector<Action> actions_;
  std::vector<Cut> cuts_;
  uint64_t damages_ = 0;
  uint32_t disturbances_ = 0;
  int64_t healed_at_ = kAbsent;
  uint16_t scan_round_ = 0;
  int64_t last_crash_ = kAbsent;
  std::map<std::string, Life, std::less<>> lives_;
};

}  // namespace history
