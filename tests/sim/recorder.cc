#include "tests/sim/recorder.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "core/strings.h"
#include "tests/sim/cluster.h"

namespace sim {
namespace {

using history::Function;
using history::Phase;

std::string NameOf(int32_t queue) { return core::StrCat(kTopic, "/", queue); }

uint64_t HashOf(std::string_view body) {
  const uint64_t hash = std::hash<std::string_view>()(body);
  return hash == 0 ? 1 : hash;  // 0 means not given
}

constexpr size_t kLetters = 26;

/// At least `bytes` of all letters over and over, not in their order: a body is a piece of it.
const std::string& Letters(size_t bytes) {
  static std::string letters;
  while (letters.size() < bytes) letters.push_back(static_cast<char>('a' + letters.size() * 7 % kLetters));
  return letters;
}

/// The value that a body begins with; empty: it is none of ours.
std::string_view ValueOf(std::string_view body) {
  const size_t end = body.find('|');
  return end == std::string_view::npos ? std::string_view() : body.substr(0, end);
}

}  // namespace

history::Event Recorder::EventOf(std::string_view worker, int64_t op, Phase phase, Function function) const {
  history::Event event;
  event.t = absl::ToInt64Nanoseconds(world_.now());
  event.worker = worker;
  event.op = op;
  event.phase = phase;
  event.function = function;
  return event;
}

void Recorder::Add(const history::Event& event) {
  const absl::Status taken = checker_.Add(event);
  if (!taken.ok()) Problem(core::StrCat("the history itself is wrong: ", taken.message()));
}

Recorder::Attempt Recorder::BeginSend(int producer, int32_t queue, size_t bytes, bool asynchronous) {
  Attempt attempt;
  attempt.worker = core::StrCat("producer-", producer);
  attempt.op = ++ops_;
  attempt.queue = queue;
  attempt.value = core::StrCat(attempt.worker, ".", attempt.op);
  attempt.body = attempt.value + "|";
  if (attempt.body.size() < bytes) {
    const size_t from = static_cast<size_t>(attempt.op) % kLetters;
    attempt.body.append(Letters(bytes + kLetters), from, bytes - attempt.body.size());
  }
  history::Event event = EventOf(attempt.worker, attempt.op, Phase::kInvoke, Function::kSend);
  const std::string name = NameOf(queue);
  event.queue = name;
  event.value = attempt.value;
  event.hash = HashOf(attempt.body);
  event.asynchronous = asynchronous;
  Add(event);
  return attempt;
}

void Recorder::EndSend(const Attempt& attempt, int64_t code, std::optional<std::pair<int64_t, int64_t>> place) {
  history::Event event = EventOf(attempt.worker, attempt.op, history::PhaseOfSend(code), Function::kSend);
  event.code = code;
  if (place.has_value()) std::tie(event.offset, event.phy) = *place;
  if (event.phase == Phase::kOk) ++acknowledged_;
  Add(event);
}

void Recorder::LoseSend(const Attempt& attempt) {
  Add(EventOf(attempt.worker, attempt.op, Phase::kInfo, Function::kSend));
}

Recorder::Pull Recorder::BeginPull(std::string worker, std::string_view group, int32_t queue, int64_t from,
                                   int64_t wait_ms) {
  Pull pull{std::move(worker), ++ops_};
  history::Event event = EventOf(pull.worker, pull.op, Phase::kInvoke, Function::kPull);
  const std::string name = NameOf(queue);
  event.group = group;
  event.queue = name;
  event.from = from;
  event.wait_ms = wait_ms;
  Add(event);
  return pull;
}

void Recorder::EndPull(const Pull& pull, int64_t code, const Range& range, const std::vector<Record>& records) {
  history::Event event = EventOf(pull.worker, pull.op, Phase::kOk, Function::kPull);
  event.code = code;
  event.next = range.next;
  event.min = range.min;
  event.max = range.max;
  for (const Record& record : records) {
    event.messages.push_back(
        {.offset = record.offset, .phy = record.phy, .value = ValueOf(record.body), .hash = HashOf(record.body)});
  }
  Add(event);
}

void Recorder::LosePull(const Pull& pull) { Add(EventOf(pull.worker, pull.op, Phase::kInfo, Function::kPull)); }

void Recorder::Assign(std::string_view worker, std::string_view group, int32_t queue, int64_t from) {
  history::Event event = EventOf(worker, ++ops_, Phase::kOk, Function::kAssign);
  const std::string name = NameOf(queue);
  event.group = group;
  event.queue = name;
  event.from = from;
  Add(event);
}

Recorder::Pull Recorder::BeginCommit(std::string worker, std::string_view group, int32_t queue, int64_t offset) {
  Pull commit{std::move(worker), ++ops_};
  history::Event event = EventOf(commit.worker, commit.op, Phase::kInvoke, Function::kCommit);
  const std::string name = NameOf(queue);
  event.group = group;
  event.queue = name;
  event.offset = offset;
  Add(event);
  return commit;
}

void Recorder::EndCommit(const Pull& commit, bool ok) {
  Add(EventOf(commit.worker, commit.op, ok ? Phase::kOk : Phase::kInfo, Function::kCommit));
}

void Recorder::Nemesis(std::string_view what, history::Role role, std::string_view whom) {
  history::Event event = EventOf("nemesis", ++ops_, Phase::kInfo, Function::kNemesis);
  event.value = what;
  event.role = role;
  event.client = whom;
  Add(event);
}

std::vector<std::string> Recorder::Verdict() {
  const history::Report report = checker_.Finish();
  missing_ = report.count(history::Kind::kLost) + report.count(history::Kind::kHole);
  std::vector<std::string> all;
  for (const history::Anomaly& anomaly : report.anomalies()) {
    if (anomaly.severity == history::Severity::kFatal) all.push_back(report.LineOf(anomaly));
  }
  all.insert(all.end(), problems_.begin(), problems_.end());
  return all;
}

}  // namespace sim
