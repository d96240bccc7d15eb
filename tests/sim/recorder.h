#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/sim/world.h"
#include "tests/history/checker.h"

namespace sim {

/// Notes what the clients of one world do and see, in virtual time, for the history checker; and what is wrong besides.
class Recorder {
 public:
  Recorder(const World& world, const history::Options& options) : world_(world), checker_(options) {}

  struct Attempt {
    std::string worker;
    int64_t op = 0;
    int32_t queue = 0;
    std::string value;
    std::string body;  // unique, and begins with the value
  };
  /// Before a new message of about `bytes` is sent.
  Attempt BeginSend(int producer, int32_t queue, size_t bytes, bool asynchronous);
  /// The broker's answer; `place` is the queue offset and the physical one of an acknowledgement.
  void EndSend(const Attempt& attempt, int64_t code, std::optional<std::pair<int64_t, int64_t>> place);
  /// No answer: nobody knows.
  void LoseSend(const Attempt& attempt);

  struct Pull {
    std::string worker;
    int64_t op = 0;
  };
  /// `group` is empty for the reading of the checker itself.
  Pull BeginPull(std::string worker, std::string_view group, int32_t queue, int64_t from, int64_t wait_ms);
  struct Record {
    int64_t offset;
    int64_t phy;
    std::string_view body;
  };
  struct Range {
    int64_t next;
    int64_t min;
    int64_t max;
  };
  void EndPull(const Pull& pull, int64_t code, const Range& range, const std::vector<Record>& records);
  void LosePull(const Pull& pull);

  /// A consumer of `group` begins to read `queue` at `from`.
  void Assign(std::string_view worker, std::string_view group, int32_t queue, int64_t from);
  Pull BeginCommit(std::string worker, std::string_view group, int32_t queue, int64_t offset);
  void EndCommit(const Pull& commit, bool ok);

  /// What happens to the broker ("kill", "cut", "stop", "start", ...) or, with a `role`, to something else; "scan": the last reading begins.
  /// `whom`: the node that it happens to, where there are several that acknowledge.
  void Nemesis(std::string_view what, history::Role role = history::Role::kMaster, std::string_view whom = {});

  /// What no event can say: the server broke the protocol, or did not do what it was told.
  void Problem(std::string text) { problems_.push_back(std::move(text)); }
  size_t acknowledged() const { return acknowledged_; }
  /// Everything that is wrong, a line each; the last call.
  std::vector<std::string> Verdict();
  /// How many messages the last scan missed, excused or not; after the verdict.
  size_t missing() const { return missing_; }

 private:
  history::Event EventOf(std::string_view worker, int64_t op, history::Phase phase, history::Function function) const;
  void Add(const history::Event& event);

  const World& world_;
  history::Checker checker_;
  std::vector<std::string> problems_;
  int64_t ops_ = 0;
  size_t acknowledged_ = 0;
  size_t missing_ = 0;
};

}  // namespace sim
