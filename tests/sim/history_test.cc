// Goal: the checker of the simulation flags each anomaly and nothing that is none: a checker that cannot fail proves nothing.
#include "tests/sim/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace sim {
namespace {

constexpr absl::Duration At(int64_t millis) { return absl::Milliseconds(millis); }

class HistoryTest : public testing::Test {
 protected:
  /// Sends to queue 0; acknowledged at `offset`, in the scan at `scanned` (-1: not there).
  History::Attempt& Send(int64_t begun, int64_t offset, int64_t scanned) {
    History::Attempt& attempt = history_.Begin(1, 0, 20, At(begun));
    history_.Complete(attempt, History::Outcome::kOk, offset, At(begun + 5));
    if (scanned >= 0) scan_[{0, scanned}] = attempt.body;
    return attempt;
  }
  /// Whether exactly this kind of problem was found; empty: none at all.
  testing::AssertionResult Finds(const std::string& kind, const std::vector<History::Cut>& cuts = {}) {
    history_.CheckScan(scan_, cuts);
    const auto& problems = history_.problems();
    if (kind.empty() ? problems.empty() : std::any_of(problems.begin(), problems.end(), [&](const std::string& problem) {
          return problem.starts_with(kind);
        })) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << problems.size() << " problems" << (problems.empty() ? "" : ", first: " + problems[0]);
  }
  History history_;
  History::Scan scan_;
};

TEST_F(HistoryTest, NothingIsWrongWithWhatIsRight) {
  Send(0, 0, 0);
  Send(10, 1, 1);
  History::Attempt& unknown = history_.Begin(2, 0, 20, At(20));
  history_.Complete(unknown, History::Outcome::kUnknown, -1, At(30));  // may exist or not
  History::Attempt& refused = history_.Begin(2, 0, 20, At(20));
  history_.Complete(refused, History::Outcome::kRefused, -1, At(30));
  scan_[{0, 2}] = unknown.body;
  history_.Observe(0, 1, scan_[{0, 1}], "a consumer");
  EXPECT_TRUE(Finds(""));
}

TEST_F(HistoryTest, FindsALostMessage) {
  Send(0, 0, 0);
  Send(10, 1, -1);
  EXPECT_TRUE(Finds("LOST"));
}

TEST_F(HistoryTest, ExcusesTheSuffixThatACutMayTake) {
  Send(0, 0, 0);
  Send(100, 1, -1);
  EXPECT_TRUE(Finds("", {{.at = At(120), .lost_from = At(90)}}));
}

TEST_F(HistoryTest, ExcusesNoOlderMessageThanTheCutMayTake) {
  Send(0, 0, 0);
  Send(50, 1, -1);
  EXPECT_TRUE(Finds("LOST", {{.at = At(120), .lost_from = At(90)}}));
}

TEST_F(HistoryTest, ExcusesNothingSentAfterTheCut) {
  Send(130, 0, -1);
  EXPECT_TRUE(Finds("LOST", {{.at = At(120), .lost_from = At(90)}}));
}

TEST_F(HistoryTest, FindsALossThatIsNoSuffix) {
  Send(100, 0, -1);
  Send(110, 1, 1);
  EXPECT_TRUE(Finds("HOLE", {{.at = At(120), .lost_from = At(90)}}));
}

TEST_F(HistoryTest, FindsAHole) {
  Send(0, 0, 0);
  Send(10, 2, 2);
  EXPECT_TRUE(Finds("HOLE"));
}

TEST_F(HistoryTest, FindsAMessageAtAnotherPlace) {
  Send(0, 0, 1);
  Send(0, 1, 0);
  EXPECT_TRUE(Finds("MOVED"));
}

TEST_F(HistoryTest, FindsADuplicate) {
  History::Attempt& twice = Send(0, 0, 0);
  scan_[{0, 1}] = twice.body;
  EXPECT_TRUE(Finds("DUPLICATE"));
}

TEST_F(HistoryTest, FindsBytesThatNobodySent) {
  History::Attempt& sent = Send(0, 0, 0);
  scan_[{0, 0}] = sent.body + "x";
  EXPECT_TRUE(Finds("PHANTOM"));
}

TEST_F(HistoryTest, FindsAMessageThatWasRefused) {
  History::Attempt& refused = history_.Begin(1, 0, 20, At(0));
  history_.Complete(refused, History::Outcome::kRefused, -1, At(5));
  scan_[{0, 0}] = refused.body;
  EXPECT_TRUE(Finds("RESURRECTED"));
}

TEST_F(HistoryTest, FindsAnOffsetThatBelongedToAnother) {
  History::Attempt& seen = history_.Begin(1, 0, 20, At(0));
  history_.Complete(seen, History::Outcome::kUnknown, -1, At(5));
  history_.Observe(0, 0, seen.body, "a consumer");
  Send(10, 0, 0);
  EXPECT_TRUE(Finds("DIVERGENT"));
}

TEST_F(HistoryTest, FindsAQueueThatReceivedAnothersMessage) {
  History::Attempt& sent = Send(0, 0, -1);
  scan_[{3, 0}] = sent.body;
  EXPECT_TRUE(Finds("MOVED"));
}

TEST_F(HistoryTest, FindsALaterMessageAtALowerOffset) {
  Send(0, 1, 1);
  Send(10, 0, 0);
  EXPECT_TRUE(Finds("REORDERED"));
}

TEST_F(HistoryTest, LetsConcurrentMessagesTakeAnyOrder) {
  Send(0, 1, 1);
  Send(3, 0, 0);
  EXPECT_TRUE(Finds(""));
}

}  // namespace
}  // namespace sim
