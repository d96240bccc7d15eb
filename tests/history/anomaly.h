#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace history {

enum class Kind : uint8_t {
  kLost,
  kLostVisible,
  kDivergent,
  kMoved,
  kCorrupt,
  kPhantom,
  kResurrected,
  kHalfVisible,
  kDuplicate,
  kHole,
  kReorderProc,
  kReorderRealtime,
  kPollSkip,
  kNonmonotonic,
  kStaleRead,
  kUnseen,
  kOverDelivery,
  kOffsetRegress,
  kLockOverlap,
  kEarly,
  kLate,
  kAckBeforeDurable,
  kReplicaMismatch,
  kStuck,
  kLag,
  kScanIncomplete,  // of the harness: what it did not read proves nothing
};
inline constexpr size_t kKinds = static_cast<size_t>(Kind::kScanIncomplete) + 1;

/// As the reference and the output call it: "LOST-VISIBLE".
std::string_view NameOf(Kind kind);

enum class Severity : uint8_t { kFatal, kReported };

struct Anomaly {
  Kind kind = Kind::kLost;
  Severity severity = Severity::kFatal;
  std::string queue;  // "topic/queueId", or empty
  int64_t offset = -1;
  std::string value;
  std::vector<std::string> ops;  // worker#op
  std::string why;
  int64_t begin = 0;  // the time it spans: which faults may explain it
  int64_t end = 0;
  std::string faults;  // that overlap that time, filled in by the report
};

/// What a checker found. At most `kept_max` anomalies of a kind are kept, all are counted.
class Report {
 public:
  explicit Report(size_t kept_max) : kept_max_(kept_max) {}

  void Add(Anomaly anomaly);
  bool Keeps(Kind kind) const { return fatal_[Index(kind)] + reported_[Index(kind)] < kept_max_; }
  size_t fatal() const;
  size_t reported() const;
  size_t count(Kind kind) const { return fatal_[Index(kind)] + reported_[Index(kind)]; }
  std::vector<Anomaly>& anomalies() { return anomalies_; }
  const std::vector<Anomaly>& anomalies() const { return anomalies_; }

  uint64_t events = 0;
  uint64_t operations = 0;
  int64_t begin = 0;  // time of the first event

  /// One line, without its end.
  std::string LineOf(const Anomaly& anomaly) const;
  /// A line for each anomaly, one for each kind of which some were not kept, and the summary.
  std::string Text() const;
  std::string Summary() const;
  std::string Json() const;

 private:
  static size_t Index(Kind kind) { return static_cast<size_t>(kind); }
  const size_t kept_max_;
  std::array<size_t, kKinds> fatal_{};
  std::array<size_t, kKinds> reported_{};
  std::vector<Anomaly> anomalies_;
};

/// Seconds since `begin` with microseconds: "12.034567 s".
std::string Seconds(int64_t t, int64_t begin);

}  // namespace history
