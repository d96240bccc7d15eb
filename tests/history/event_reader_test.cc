// Goal: a history is read as README.md says, in the order of time, and what is no history is refused by file and line.
#include "tests/history/event_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/strings.h"
#include "tests/history/checker.h"

namespace history {
namespace {

class EventReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/history-reader-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    for (const std::string& path : written_) unlink(path.c_str());
    rmdir(folder_.c_str());
  }
  std::string Write(const std::string& text) {
    written_.push_back(core::StrCat(folder_, "/", written_.size(), ".jsonl"));
    std::ofstream(written_.back()) << text;
    return written_.back();
  }
  /// What is wrong with a history of these lines; empty: nothing.
  std::string Refusal(const std::string& text) {
    const std::string path = Write(text);
    auto file = EventFile::Open(path);
    Checker checker((Options()));
    while (true) {
      const absl::StatusOr<bool> more = (*file)->Next();
      if (!more.ok()) return std::string(more.status().message()).substr(path.size());
      if (!*more) return "";
      const absl::Status taken = checker.Add((*file)->event());
      if (!taken.ok()) return (*file)->Where().substr(path.size()) + ": " + std::string(taken.message());
    }
  }
  std::string folder_;
  std::vector<std::string> written_;
};

constexpr const char* kInvoke = R"({"t":10,"w":"p","op":1,"ph":"invoke","f":"send","k":"t/0","v":"r.p.1"})";

TEST_F(EventReaderTest, ReadsEveryField) {
  const std::string path = Write(
      "\n"
      R"({"t":7,"w":"c\u0031","op":3,"ph":"ok","f":"pull","c":"x","g":"g","k":"t/0","code":0,"role":"slave","store":"ASYNC","repl":2,)"
      R"("from":4,"next":6,"min":1,"max":9,"wait":5,"filter":true,"redeliver":true,"phy":8,"epoch":"2","more":{"a":[1]},)"
      R"("msgs":[{"off":4,"phy":100,"v":"r.p.1","h":"00000000000000ff","rc":1,"born":1,"store":2},{"off":5}]})"
      "\r\n   \n"
      R"({"t":8,"w":"p","ph":"info","f":"nemesis","v":"cut"})");
  auto file = EventFile::Open(path);
  ASSERT_TRUE(*(*file)->Next());
  EXPECT_EQ((*file)->Where(), path + ":2");
  const Event& event = (*file)->event();
  EXPECT_EQ(event.t, 7);
  EXPECT_EQ(event.worker, "c1");
  EXPECT_EQ(event.op, 3);
  EXPECT_EQ(event.phase, Phase::kOk);
  EXPECT_EQ(event.function, Function::kPull);
  EXPECT_EQ(event.role, Role::kSlave);
  EXPECT_TRUE(event.asynchronous && event.filtered && event.redelivery);
  EXPECT_EQ(event.copies, 2);
  EXPECT_EQ(event.from, 4);
  EXPECT_EQ(event.next, 6);
  EXPECT_EQ(event.min, 1);
  EXPECT_EQ(event.max, 9);
  EXPECT_EQ(event.wait_ms, 5);
  ASSERT_EQ(event.messages.size(), 2U);
  EXPECT_EQ(event.messages[0].hash, 255U);
  EXPECT_EQ(event.messages[0].value, "r.p.1");
  EXPECT_EQ(event.messages[0].reconsume_times, 1);
  EXPECT_EQ(event.messages[1].offset, 5);
  EXPECT_TRUE(event.messages[1].value.empty());
  ASSERT_TRUE(*(*file)->Next());
  EXPECT_EQ((*file)->event().op, kAbsent);
  EXPECT_TRUE((*file)->event().messages.empty());  // nothing is left of the line before
  EXPECT_FALSE(*(*file)->Next());
}

TEST_F(EventReaderTest, RefusesWhatIsNoHistory) {
  const std::string ok = R"({"t":20,"w":"p","op":1,"ph":"ok","f":"send","off":0})";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"nonsense", ":1: this is no JSON object"},
      {core::StrCat(kInvoke, "\n[1]"), ":2: this is no JSON object"},
      {R"({"t":1,"w":"p","op":1,"ph":"invoke","f":"send","k":"t/0","v":"r.p.1")", ":1: this is no JSON object"},
      {core::StrCat(kInvoke, ok), ":1: the JSON object is broken, or something follows it"},
      {R"({"t":"1","w":"p","op":1,"ph":"invoke","f":"send"})", ":1: \"t\" is not a whole number"},
      {R"({"t":-1,"w":"p","op":1,"ph":"invoke","f":"send"})", ":1: \"t\" is not a whole number"},
      {R"({"t":1,"w":"p","op":1,"ph":"begin","f":"send"})", ":1: \"ph\" is not a word that belongs there: begin"},
      {R"({"t":1,"w":"p","op":1,"ph":"invoke"})", ":1: \"t\", \"w\", \"ph\" and \"f\" belong to every event"},
      {R"({"t":1,"w":"p","op":1,"ph":"invoke","f":"send","k":"t/0"})", ":1: a send without \"v\""},
      {R"({"t":1,"w":"p","ph":"invoke","f":"send","k":"t/0","v":"a"})", ":1: an operation without \"op\""},
      {R"({"t":1,"w":"p","op":1,"ph":"invoke","f":"pull","k":"t/0","msgs":[3]})",
       ":1: \"msgs\" is not a list of objects"},
      {R"({"t":1,"w":"p","op":1,"ph":"invoke","f":"pull","k":"t/0","msgs":[{"v":"a"}]})",
       ":1: a message of \"msgs\" has no \"off\""},
      {R"({"t":1,"w":"n","ph":"ok","f":"nemesis"})", ":1: a nemesis that neither says what it does"},
      {ok, ":1: the end of an operation that has not begun, or has ended"},
      {core::StrCat(kInvoke, "\n", ok, "\n", ok), ":3: the end of an operation that has not begun, or has ended"},
      {core::StrCat(kInvoke, "\n", kInvoke), ":2: an operation of this number is under way"},
      {core::StrCat(kInvoke, "\n", ok, "\n",
                    R"({"t":30,"w":"p","op":2,"ph":"invoke","f":"send","k":"t/0","v":"r.p.1"})"),
       ":3: value r.p.1 was sent before"},
      {core::StrCat(kInvoke, "\n", R"({"t":9,"w":"p","op":1,"ph":"info","f":"send"})"), ":2: its time lies before"},
      {core::StrCat(kInvoke, "\n", R"({"t":20,"w":"p","op":1,"ph":"ok","f":"pull"})"),
       ":2: the operation began as another function"},
      {core::StrCat(kInvoke, "\n", R"({"t":20,"w":"p","op":1,"ph":"ok","f":"send"})"),
       ":2: an acknowledged send without \"off\""},
      {core::StrCat(kInvoke, "\n", R"({"t":20,"w":"p","op":1,"ph":"ok","f":"send","off":0,"code":12})"),
       ":2: code 12 makes a send \"info\", not \"ok\""},
      {core::StrCat(kInvoke, "\n", R"({"t":20,"w":"p","op":1,"ph":"fail","f":"send","code":10})"),
       ":2: code 10 makes a send \"info\", not \"fail\""},
      {core::StrCat(kInvoke, "\n", R"({"t":20,"w":"p","op":1,"ph":"ok","f":"send","off":0,"code":2})"),
       ":2: code 2 makes a send \"fail\", not \"ok\""},
  };
  for (const auto& [text, why] : refused) EXPECT_EQ(Refusal(text).substr(0, why.size()), why) << text;
  EXPECT_EQ(Refusal(core::StrCat(kInvoke, "\n", ok)), "");
  EXPECT_EQ(Refusal(core::StrCat(kInvoke, "\n", R"({"t":20,"w":"p","op":1,"ph":"info","f":"send","code":2})")),
            "");  // claims less
}

TEST_F(EventReaderTest, MergesFilesByTime) {
  const auto line = [](int t, const char* worker, const char* phase, const char* function) {
    return core::StrCat("{\"t\":", t, ",\"w\":\"", worker, "\",\"ph\":\"", phase, "\",\"f\":\"", function, "\"}\n");
  };
  std::vector<std::unique_ptr<EventFile>> files;
  for (const std::string& text : {line(1, "a", "ok", "assign") + line(5, "a", "ok", "assign"),
                                  line(2, "b", "ok", "assign") + line(5, "b", "invoke", "assign"), std::string(),
                                  line(0, "c", "ok", "assign") + line(5, "c", "ok", "flush")}) {
    files.push_back(*EventFile::Open(Write(text)));
  }
  EventMerge merge(std::move(files));
  std::string order;
  while (true) {
    const absl::StatusOr<const EventFile*> file = merge.Next();
    ASSERT_TRUE(file.ok());
    if (*file == nullptr) break;
    order += core::StrCat((*file)->event().worker, (*file)->event().t, " ");
  }
  EXPECT_EQ(order, "c0 a1 b2 c5 b5 a5 ");  // at the same time: flushes, invocations, the rest
}

// Catches lines that are cut where one read ends and the next begins.
TEST_F(EventReaderTest, ReadsLinesAcrossItsBuffer) {
  std::string text;
  const int count = 20'000;
  for (int i = 0; i < count; ++i) {
    text += core::StrCat("{\"t\":", i, ",\"w\":\"w\",\"ph\":\"ok\",\"f\":\"assign\",\"note\":\"",
                         std::string(static_cast<size_t>(i % 977), 'x'), "\"}\n");
  }
  text += core::StrCat("{\"t\":", count, ",\"w\":\"w\",\"ph\":\"ok\",\"f\":\"assign\",\"note\":\"",
                       std::string(3'000'000, 'y'), "\"}");
  auto file = EventFile::Open(Write(text));
  int next = 0;
  while (true) {
    const absl::StatusOr<bool> more = (*file)->Next();
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    ASSERT_EQ((*file)->event().t, next++);
  }
  EXPECT_EQ(next, count + 1);
}

}  // namespace
}  // namespace history
