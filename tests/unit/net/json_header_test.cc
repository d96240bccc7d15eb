// Goal: all ways to read a JSON header agree on every text: by an index of its strings, by the shape of one that came before, and by the general reader.
// Method: headers as clients write them, and what comes of them by thousands of random changes.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/strings.h"
#include "net/frame_header.h"
#include "net/header_shapes.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

std::string Describe(const Frame& frame) {
  std::string all = core::StrCat(frame.code, " ", frame.language, " ", frame.version, " ", frame.opaque, " ", frame.flag, " ", frame.remark, "\n");
  for (const ExtField& field : frame.fields) all += core::StrCat(field.name, "=", field.value, "\n");
  return all;
}

template <typename Reader>
std::string ReadWith(std::string_view header, Reader&& reader) {
  Frame frame;
  std::vector<char> text(header.begin(), header.end());  // of its own size: the sanitizers see a byte too many
  return reader(text.data(), text.size(), frame).ok() ? Describe(frame) : "refused";
}

std::string Read(std::string_view header, HeaderShapes* shapes = nullptr) {
  return ReadWith(header, [shapes](char* text, size_t size, Frame& frame) { return DecodeJsonHeader(text, size, frame, shapes); });
}

/// `shapes`: what has been learned so far.
void ExpectSame(const std::string& header, HeaderShapes& shapes) {
  const std::string read = ReadWith(header, DecodeAnyJsonHeader);
  EXPECT_EQ(Read(header), read) << header;
  EXPECT_EQ(Read(header, &shapes), read) << header;
  EXPECT_EQ(Read(header, &shapes), read) << header;
}
void ExpectSame(const std::string& header) {
  HeaderShapes none;
  ExpectSame(header, none);
}

const std::vector<std::string>& Samples() {
  static const std::vector<std::string> samples = {
      // Java, a send with properties: separators are escaped.
      R"({"code":310,"extFields":{"a":"producers","b":"Topic","c":"TBW102","d":"4","e":"3","f":"0","g":"1764170000000","h":"0",)"
      R"("i":"UNIQ_KEY\u00017F000001000078BF0000000000000261\u0002WAIT\u0001true\u0002KEYS\u0001a \"b\" \\ \u00e4","j":"0","k":"false","m":"false"},)"
      R"("flag":0,"language":"JAVA","opaque":1234,"serializeTypeCurrentRPC":"JSON","version":479})",
      R"({"code":34,"extFields":{},"flag":2,"language":"GO","opaque":-5,"remark":"","version":317})",
      R"({"code":0,"flag":1,"language":"CPP","opaque":7,"remark":"a\nb","serializeTypeCurrentRPC":"JSON","version":1})",
      R"({"code":11,"extFields":{"queueId":0,"sysFlag":2,"batch":false,"AccessKey":"","none":null},"language":"CPP","remark":null})",
      R"( { "code" : 11 , "extFields" : { "a" : "b" , "c" : [1,{"d":"}"}] } , "x" : [] } )",
      R"({})",
      R"({"extFields":null,"code":"12"})",
      R"({"code":-5,"opaque":-1,"flag":0})",
  };
  return samples;
}

TEST(JsonHeaderTest, BothReadersReadWhatClientsWrite) {
  for (const std::string& sample : Samples()) {
    EXPECT_NE(Read(sample), "refused") << sample;
    ExpectSame(sample);
  }
  EXPECT_NE(Read(Samples()[0]).find(std::string("KEYS\x01"
                                                                  "a \"b\" \\ \xC3\xA4\nj=0")),
            std::string::npos);
}

TEST(JsonHeaderTest, APlusSignIsNoNumber) {
  for (const std::string_view header : {R"({"code":+5})", R"({"code":5,"opaque":+1})"}) {
    EXPECT_EQ(Read(header), "refused") << header;
    ExpectSame(std::string(header));
  }
}

// Catches places that are counted wrong where a block of 64 bytes ends.
TEST(JsonHeaderTest, WhateverItsLength) {
  for (size_t pad = 0; pad < 200; ++pad) {
    for (const std::string_view special : {"", "\\\\", "\\\"", "\\\\\\\"", "\\u0001"}) {
      const std::string fill(pad, 'x');
      ExpectSame(core::StrCat(R"({"code":1,"extFields":{"a":")", fill, special, fill, R"(","b":")", special, special, R"("},"opaque":2})"));
    }
  }
}

TEST(JsonHeaderTest, AlsoWhenItIsDamaged) {
  std::mt19937_64 random(20);
  HeaderShapes shapes;
  const std::string bytes = "\"\\{}[]:, u0x1+-.\n\x80";
  for (int i = 0; i < 200'000; ++i) {
    std::string text = Samples()[random() % Samples().size()];
    (void)Read(text, &shapes);
    for (size_t changes = 1 + random() % 4; changes > 0 && !text.empty(); --changes) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = bytes[random() % bytes.size()];
          break;
        case 1:
          text.insert(at, 1, bytes[random() % bytes.size()]);
          break;
        case 2:
          text.erase(at, 1 + random() % 3);
          break;
        default:
          text.insert(random() % text.size(), text.substr(at, random() % 40));
      }
    }
    ExpectSame(text, shapes);
    if (HasFailure()) return;
  }
}

// A send of a Java client: a known shape, then others of the same length.
TEST(HeaderShapesTest, KnowWhatDiffersInValuesOnly) {
  const auto header = [](std::string_view topic, std::string_view key, std::string_view opaque, std::string_view end = R"(,"version":479})") {
    return core::StrCat(R"({"code":310,"extFields":{"b":")", topic, R"(","e":"3","i":"UNIQ_KEY\u0001)", key, R"(\u0002WAIT\u0001true\u0002"},"opaque":)", opaque, end);
  };
  const auto known = [](HeaderShapes& shapes, std::string text) {
    Frame frame;
    return shapes.Read(text.data(), text.size(), frame) ? Describe(frame) : "not known";
  };
  HeaderShapes shapes;
  const std::string first = header("Topic", "7F000001", "1234");
  EXPECT_EQ(known(shapes, first), "not known");
  EXPECT_EQ(Read(first, &shapes), Read(first));
  for (const std::string& like : {first, header("Other", "00000000", "9876"), header("a b,}", "{}:[]\x01,0", "-123")}) {
    EXPECT_EQ(known(shapes, like), Read(like)) << like;
  }
  // Each of these has the same length.
  for (const std::string& other :
       {header("To\"ic", "7F000001", "1234"), header("To\\nc", "7F000001", "1234"), header("Topic", "7F\\u0001", "1234"), header("Topic", "7F000001", "12x4"), header("Topic", "7F000001", "+123"),
        header("Topic", "7F000001", "1234", R"(,"version":317})"), header("Topic", "7F000001", "1234", R"(,"Version":479})")}) {
    ASSERT_EQ(other.size(), first.size()) << other;
    EXPECT_EQ(known(shapes, other), "not known") << other;
    ExpectSame(other, shapes);
  }
}

// Catches a slot that is lost to a client for good by one header of another.
TEST(HeaderShapesTest, LearnAgain) {
  HeaderShapes shapes;
  const std::string one = Samples()[1];
  std::string two = one;
  two.replace(two.find("GO"), 2, "C#");
  (void)Read(one, &shapes);
  int tries = 0;
  Frame frame;
  for (std::string text = two; !shapes.Read(text.data(), text.size(), frame); text = two) {
    frame = Frame();
    (void)Read(two, &shapes);
    ASSERT_LT(++tries, 20);
  }
}

// More of something than the quick reader takes.
TEST(JsonHeaderTest, LargeOnes) {
  std::string many = R"({"code":1,"extFields":{"x":"1")";
  for (int i = 0; i < 300; ++i) many += core::StrCat(R"(,"f)", i, R"(":"v\t")");
  ExpectSame(many + "}}");
  ExpectSame(core::StrCat(R"({"code":1,"extFields":{"x":")", std::string(100'000, 'y'), R"("}})"));
  std::string escapes = R"({"code":1,"extFields":{"x":")";
  for (int i = 0; i < 500; ++i) escapes += "\\\\\\n";
  ExpectSame(escapes + R"("}})");
}

}  // namespace
}  // namespace net
