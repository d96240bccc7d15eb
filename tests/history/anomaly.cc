#include "tests/history/anomaly.h"

#include <numeric>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/strings.h"

namespace history {
namespace {

constexpr std::array<std::string_view, kKinds> kNames = {
    "LOST",           "LOST-VISIBLE",       "DIVERGENT",        "MOVED",        "CORRUPT",
    "PHANTOM",        "RESURRECTED",        "HALF-VISIBLE",     "DUPLICATE",    "HOLE",
    "REORDER-PROC",   "REORDER-REALTIME",   "POLL-SKIP",        "NONMONOTONIC", "STALE-READ",
    "UNSEEN",         "OVER-DELIVERY",      "OFFSET-REGRESS",   "LOCK-OVERLAP", "EARLY",
    "LATE",           "ACK-BEFORE-DURABLE", "REPLICA-MISMATCH", "STUCK",        "LAG",
    "SCAN-INCOMPLETE"};

std::string_view NameOf(Severity severity) { return severity == Severity::kFatal ? "fatal" : "reported"; }

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += absl::StrFormat("\\u%04x", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string_view NameOf(Kind kind) { return kNames[static_cast<size_t>(kind)]; }

std::string Seconds(int64_t t, int64_t begin) {
  return absl::StrFormat("%.6f s", static_cast<double>(t - begin) / 1e9);
}

void Report::Add(Anomaly anomaly) {
  const bool keeps = Keeps(anomaly.kind);
  ++(anomaly.severity == Severity::kFatal ? fatal_ : reported_)[Index(anomaly.kind)];
  if (keeps) anomalies_.push_back(std::move(anomaly));
}

size_t Report::fatal() const { return std::accumulate(fatal_.begin(), fatal_.end(), size_t{0}); }
size_t Report::reported() const { return std::accumulate(reported_.begin(), reported_.end(), size_t{0}); }

std::string Report::LineOf(const Anomaly& anomaly) const {
  std::string line = core::StrCat(NameOf(anomaly.kind), " ", NameOf(anomaly.severity));
  if (!anomaly.queue.empty()) line += " queue " + anomaly.queue;
  if (anomaly.offset >= 0) line += core::StrCat(" offset ", anomaly.offset);
  if (!anomaly.value.empty()) line += " value " + anomaly.value;
  if (!anomaly.ops.empty()) {
    line += " ops";
    for (const std::string& op : anomaly.ops) line += " " + op;
  }
  line += core::StrCat(": ", anomaly.why, " [", Seconds(anomaly.begin, begin), " to ", Seconds(anomaly.end, begin),
                       "; ", anomaly.faults.empty() ? "no nemesis" : anomaly.faults, "]");
  return line;
}

std::string Report::Summary() const {
  return core::StrCat(events, " events, ", operations, " operations, ", fatal(), " anomalies fatal, ", reported(),
                      " reported");
}

std::string Report::Text() const {
  std::string text;
  std::array<size_t, kKinds> kept{};
  for (const Anomaly& anomaly : anomalies_) {
    text += LineOf(anomaly) + "\n";
    ++kept[Index(anomaly.kind)];
  }
  for (size_t i = 0; i < kKinds; ++i) {
    const size_t all = fatal_[i] + reported_[i];
    if (all > kept[i]) text += core::StrCat(kNames[i], ": ", all - kept[i], " more of ", all, "\n");
  }
  return text + Summary() + "\n";
}

std::string Report::Json() const {
  std::string text = "{\"anomalies\":[";
  for (const Anomaly& anomaly : anomalies_) {
    if (&anomaly != &anomalies_.front()) text += ",";
    text += core::StrCat("\n{\"kind\":\"", NameOf(anomaly.kind), "\",\"severity\":\"", NameOf(anomaly.severity),
                         "\",\"queue\":", Quoted(anomaly.queue), ",\"offset\":", anomaly.offset,
                         ",\"value\":", Quoted(anomaly.value), ",\"ops\":[");
    for (const std::string& op : anomaly.ops) text += core::StrCat(&op == &anomaly.ops.front() ? "" : ",", Quoted(op));
    text += core::StrCat("],\"why\":", Quoted(anomaly.why), ",\"begin\":", anomaly.begin, ",\"end\":", anomaly.end,
                         ",\"nemesis\":", Quoted(anomaly.faults), "}");
  }
  text += "],\n\"counts\":{";
  bool first = true;
  for (size_t i = 0; i < kKinds; ++i) {
    if (fatal_[i] + reported_[i] == 0) continue;
    text += core::StrCat(first ? "" : ",", "\"", kNames[i], "\":{\"fatal\":", fatal_[i], ",\"reported\":", reported_[i],
                         "}");
    first = false;
  }
  return text + core::StrCat("},\n\"events\":", events, ",\"operations\":", operations, ",\"fatal\":", fatal(),
                             ",\"reported\":", reported(), "}\n");
}

}  // namespace history
