// Goal: the two readers of JSON headers agree on every text: what the quick one reads, the general one reads to the same, and what the general one refuses, both do.
// Method: headers as clients write them, and what comes of them by thousands of random changes.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/strings.h"
#include "net/frame_header.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

std::string Describe(const Frame& frame) {
  std::string all = core::StrCat(frame.code, " ", frame.language, " ", frame.version, " ", frame.opaque, " ", frame.flag, " ", frame.remark, "\n");
  for (const ExtField& field : frame.fields) all += core::StrCat(field.name, "=", field.value, "\n");
  return all;
}

std::string Read(std::string header, absl::Status (*reader)(char*, size_t, Frame&)) {
  Frame frame;
  // A block of its own size: the sanitizers see a byte too many.
  const std::vector<char> bytes(header.begin(), header.end());
  std::vector<char> text = bytes;
  return reader(text.data(), text.size(), frame).ok() ? Describe(frame) : "refused";
}

void ExpectSame(const std::string& header) { EXPECT_EQ(Read(header, DecodeJsonHeader), Read(header, DecodeAnyJsonHeader)) << header; }

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
  };
  return samples;
}

TEST(JsonHeaderTest, BothReadersReadWhatClientsWrite) {
  for (const std::string& sample : Samples()) {
    EXPECT_NE(Read(sample, DecodeJsonHeader), "refused") << sample;
    ExpectSame(sample);
  }
  EXPECT_NE(Read(Samples()[0], DecodeJsonHeader).find(std::string("KEYS\x01"
                                                                  "a \"b\" \\ \xC3\xA4\nj=0")),
            std::string::npos);
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
  const std::string bytes = "\"\\{}[]:, u0x1\n\x80";
  for (int i = 0; i < 200'000; ++i) {
    std::string text = Samples()[random() % Samples().size()];
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
    ExpectSame(text);
    if (HasFailure()) return;
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
