// Goal: the checker finds every anomaly of its table and nothing that is none: a checker that cannot fail proves nothing.
// Method: tests/history/cases/KIND.EXPECTED.WHAT.jsonl is a small history by hand. EXPECTED is fatal or reported (exactly this kind is found,
// with this severity) or ok (a near miss: nothing is found). The first event's "note" says what it is about.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "core/strings.h"
#include "tests/history/checker.h"
#include "tests/history/event_reader.h"

namespace history {
namespace {

constexpr const char* kFolder = "tests/history/cases";

/// The verdict on one file; a bad input fails the test.
Report Check(const std::filesystem::path& path) {
  Checker checker((Options()));
  auto file = EventFile::Open(path.string());
  EXPECT_TRUE(file.ok()) << file.status();
  while (true) {
    const absl::StatusOr<bool> more = (*file)->Next();
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    const absl::Status taken = checker.Add((*file)->event());
    EXPECT_TRUE(taken.ok()) << (*file)->Where() << ": " << taken;
  }
  return checker.Finish();
}

struct Case {
  std::filesystem::path path;
  std::string kind;
  std::string expected;
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::vector<std::string> parts = absl::StrSplit(entry.path().filename().string(), '.');
    EXPECT_EQ(parts.size(), 4U) << entry.path();
    if (parts.size() == 4) cases.push_back({entry.path(), parts[0], parts[1]});
  }
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.path < b.path; });
  return cases;
}

TEST(CasesTest, EachIsJudgedAsItsNameSays) {
  for (const Case& one : Cases()) {
    SCOPED_TRACE(one.path.string());
    const Report report = Check(one.path);
    if (one.expected == "ok") {
      EXPECT_EQ(report.fatal() + report.reported(), 0U) << report.Text();
      continue;
    }
    const size_t found = one.expected == "fatal" ? report.fatal() : report.reported();
    EXPECT_GT(found, 0U) << report.Text();
    EXPECT_EQ(found, report.fatal() + report.reported()) << report.Text();
    for (const Anomaly& anomaly : report.anomalies()) {
      EXPECT_EQ(NameOf(anomaly.kind), one.kind) << report.Text();
      EXPECT_FALSE(anomaly.why.empty());
    }
  }
}

// Catches a row of the table that nobody proves.
TEST(CasesTest, EveryAnomalyHasAHistoryThatIsFlaggedAndANearMissThatIsNot) {
  std::map<std::string, std::set<std::string>> expectations;
  for (const Case& one : Cases()) expectations[one.kind].insert(one.expected == "ok" ? "ok" : "flagged");
  EXPECT_EQ(expectations.size(), kKinds);
  for (size_t i = 0; i < kKinds; ++i) {
    const std::string name(NameOf(static_cast<Kind>(i)));
    EXPECT_EQ(expectations[name].size(), 2U) << name;
  }
}

TEST(CasesTest, AnAnomalyNamesWhereAndWhoAndWhatTheNemesisDid) {
  const Report report = Check(core::StrCat(kFolder, "/LOST.fatal.kill.jsonl"));
  ASSERT_EQ(report.anomalies().size(), 1U);
  EXPECT_EQ(report.LineOf(report.anomalies()[0]),
            "LOST fatal queue t/0 offset 1 value r.p1.2 ops p1#2: it is not in the last scan; acknowledged at 0.015000 "
            "s, as stored for good "
            "[0.010000 s to 0.501000 s; kill at 0.020000 s, start at 0.021000 s]");
  EXPECT_EQ(report.Summary(), "9 events, 3 operations, 1 anomalies fatal, 0 reported");
  EXPECT_NE(report.Json().find("\"kind\":\"LOST\",\"severity\":\"fatal\",\"queue\":\"t/"
                               "0\",\"offset\":1,\"value\":\"r.p1.2\",\"ops\":[\"p1#2\"]"),
            std::string::npos)
      << report.Json();
}

// Catches a flood of lines that buries the first one, and a count that stops with them.
TEST(CasesTest, KeepsSomeAnomaliesOfAKindAndCountsAll) {
  Options options;
  options.kept_max = 3;
  Checker checker(options);
  for (int64_t i = 0; i < 10; ++i) {
    Event event;
    event.t = 2 * i;
    event.worker = "p";
    event.op = i;
    event.queue = "t/0";
    const std::string value = core::StrCat("r.p.", i);
    event.value = value;
    ASSERT_TRUE(checker.Add(event).ok());
    Event ok;
    ok.t = 2 * i + 1;
    ok.worker = "p";
    ok.op = i;
    ok.phase = Phase::kOk;
    ok.offset = 100 - i;
    ASSERT_TRUE(checker.Add(ok).ok());
  }
  const Report report = checker.Finish();
  EXPECT_EQ(report.count(Kind::kReorderProc), 9U);
  EXPECT_EQ(report.anomalies().size(), 3U);
  EXPECT_NE(report.Text().find("REORDER-PROC: 6 more of 9\n"), std::string::npos) << report.Text();
}

}  // namespace
}  // namespace history
