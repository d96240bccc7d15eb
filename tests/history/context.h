#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/anomaly.h"
#include "tests/history/faults.h"
#include "tests/history/ledger.h"

namespace history {

inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr int64_t kMillisecond = 1'000'000;

/// What the system under test promises, in nanoseconds.
struct Options {
  int64_t async_window = 50 * kMillisecond;  // ASYNC_FLUSH may lose this much to a power cut
  int64_t persist_interval = 5 * kSecond;    // consumer offsets may go back this much in a crash
  int64_t late = kSecond;                    // a delayed message later than this is reported
  int64_t lag = 10 * kSecond;                // a consumer further behind than this is reported
  int64_t stuck = 5 * kSecond;               // no successful operation for this long after healing
  int64_t lock_expiry = 60 * kSecond;        // of a queue lock that nobody renews
  bool keeps_all = false;                    // nothing expires in this run: a minimum that moves excuses nothing
  size_t kept_max = 1000;                    // anomalies of a kind that are told one by one
};

/// An anomaly in numbers.
struct Finding {
  Kind kind;
  Severity severity = Severity::kFatal;
  uint32_t queue = kNoName;
  int64_t offset = kAbsent;
  uint32_t value = kNoName;
  std::vector<OpRef> ops;
  int64_t begin = 0;
  int64_t end = 0;
  std::string why;
};

/// What all the checks work on.
struct Context {
  explicit Context(const Options& promised)
      : options(promised), faults(promised.async_window), report(promised.kept_max) {}

  void Flag(const Finding& finding);
  std::string TimeOf(int64_t t) const { return Seconds(t, report.begin); }
  std::string PlaceOf(uint32_t queue, int64_t offset) const;

  const Options options;
  Ledger ledger;
  Faults faults;
  Report report;
  int64_t now = 0;  // time of the current event
};

/// An operation that has begun.
struct OpenOperation {
  Function function = Function::kSend;
  int64_t invoked = 0;
  OpRef op = 0;
  uint32_t worker = kNoName;
  uint32_t queue = kNoName;
  uint32_t value = kNoName;
  uint32_t group = kNoName;
  uint32_t client = kNoName;
  int64_t from = kAbsent;
  int64_t offset = kAbsent;
  int64_t acked_before = kAbsent;  // pull: the highest offset of its queue acknowledged before
  int64_t top_before = kAbsent;    // pull: the end of its queue known before
  Role role = Role::kMaster;
  Transaction transaction = Transaction::kNone;
  bool waits = false;
  bool filtered = false;
  bool redelivery = false;
  uint16_t scan_round = 0;  // pull without a group: of which scan; 0: of none
};

}  // namespace history
