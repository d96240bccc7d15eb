#include "net/json.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

namespace net {
namespace {

JsonDocument Parsed(std::string_view text) {
  absl::StatusOr<JsonDocument> document = JsonDocument::Parse(text);
  EXPECT_TRUE(document.ok()) << document.status() << " in " << text;
  return *std::move(document);
}

TEST(JsonWriter, WritesAsFastjsonDoes) {
  JsonWriter json;
  json.BeginObject()
      .Member("a", "q\"\\\n\x01\u00e9")
      .Member("b", 3)
      .Member("c", true)
      .Member("d", 0.0)
      .Member("e", 12.5);
  json.OptionalMember("f", std::optional<int64_t>()).OptionalMember("g", std::optional<int64_t>(1));
  json.Key("h").BeginArray().Int(1).BeginObject().EndObject().String("x").Null().EndArray();
  json.Key("i").Raw("{\"y\":1}").Member("j", std::nan("")).StringsMember("k", std::array<std::string, 2>{"l", "m"});
  json.EndObject();
  EXPECT_EQ(
      json.text(),
      "{\"a\":\"q\\\"\\\\\\n\\u0001\u00e9\",\"b\":3,\"c\":true,\"d\":0.0,\"e\":12.5,\"g\":1,\"h\":[1,{},\"x\",null],"
      "\"i\":{\"y\":1},\"j\":null,\"k\":[\"l\",\"m\"]}");
}

TEST(JsonWriter, WritesBareAndObjectKeys) {
  JsonWriter json;
  json.BeginObject().Key("t").BeginObject().NumberKey(0).String("a").NumberKey(-1, true).String("b").EndObject();
  json.Key("u").BeginObject().BeginKeyObject().Member("brokerName", "b").Member("queueId", 0).EndKeyObject().Int(5);
  json.BeginKeyObject().Member("queueId", 1).EndKeyObject().BeginObject().EndObject().EndObject().EndObject();
  EXPECT_EQ(json.text(), R"({"t":{0:"a","-1":"b"},"u":{{"brokerName":"b","queueId":0}:5,{"queueId":1}:{}}})");
}

TEST(JsonDocument, ReadsWhatTheWriterWrites) {
  JsonWriter json;
  json.BeginObject().BeginKeyObject().Member("topic", "T\u0001").EndKeyObject().Int(INT64_MIN).EndObject();
  const JsonDocument document = Parsed(json.text());
  ASSERT_EQ(document.root().members().size(), 1u);
  EXPECT_EQ(document.root().members()[0].key["topic"].text(), "T\u0001");
  EXPECT_EQ(document.root().members()[0].value.AsInt(), INT64_MIN);
}

TEST(JsonDocument, AcceptsWhatFastjsonAccepts) {
  const JsonDocument document =
      Parsed(" {a:1,,'b':'it\\'s',\"c\":[1,2,,],0:\"zero\",\"n\":null,\"d\":\"7\",e:\"true\",f:1.9,\n} \n");
  const JsonValue root = document.root();
  EXPECT_EQ(root["a"].IntOr(0), 1);
  EXPECT_EQ(root["b"].text(), "it's");
  EXPECT_EQ(root["c"].items().size(), 2u);
  EXPECT_EQ(root["0"].text(), "zero");
  EXPECT_TRUE(root["n"].is_null());
  EXPECT_FALSE(root.Has("n"));
  EXPECT_EQ(root["d"].IntOr(0), 7);
  EXPECT_TRUE(root["e"].BoolOr(false));
  EXPECT_EQ(root["f"].IntOr(0), 1);
  EXPECT_EQ(root["f"].DoubleOr(0), 1.9);
  EXPECT_TRUE(root["missing"]["deeper"].is_null());
}

TEST(JsonDocument, ConvertsOnlyWhatFits) {
  const JsonDocument document =
      Parsed(R"({"big":9223372036854775808,"e":1e3,"i":2147483648,"s":"x","b":true,"o":{},"m":-9223372036854775808})");
  const JsonValue root = document.root();
  EXPECT_EQ(root["big"].AsInt(), std::nullopt);
  EXPECT_EQ(root["e"].AsInt(), 1000);
  EXPECT_EQ(root["i"].Int32Or(-7), -7);
  EXPECT_EQ(root["i"].IntOr(0), 2147483648);
  EXPECT_EQ(root["s"].IntOr(5), 5);
  EXPECT_EQ(root["b"].IntOr(5), 5);
  EXPECT_EQ(root["o"].BoolOr(true), true);
  EXPECT_EQ(root["m"].AsInt(), INT64_MIN);
}

TEST(JsonDocument, EnumsComeByNameOrOrdinal) {
  static constexpr std::string_view kModels[] = {"BROADCASTING", "CLUSTERING"};
  const JsonDocument document = Parsed(R"(["Clustering",1,"1","other",2,-1,null])");
  const auto items = document.root().items();
  EXPECT_EQ(items[0].AsEnum(kModels), 1u);  // Go
  EXPECT_EQ(items[1].AsEnum(kModels), 1u);  // C++
  EXPECT_EQ(items[2].AsEnum(kModels), 1u);
  for (size_t i = 3; i < items.size(); ++i) EXPECT_EQ(items[i].AsEnum(kModels), std::nullopt) << i;
}

TEST(JsonDocument, ResolvesReferences) {
  const JsonDocument document = Parsed(
      R"({"a":[{"x":1},{"$ref":"$.a[0]"}],"b":{"$ref":"$.a[0].x"},"self":{"$ref":"$"},"up":{"$ref":".."},"no":{"$ref":"$.q[9]"},"chain":{"$ref":"$.self"}})");
  const JsonValue root = document.root();
  EXPECT_EQ(root["a"].items()[1]["x"].IntOr(0), 1);
  EXPECT_EQ(root["b"].IntOr(0), 1);
  EXPECT_EQ(root["self"]["$ref"].text(), "$");  // would be without end
  EXPECT_EQ(root["up"]["$ref"].text(), "..");
  EXPECT_EQ(root["no"]["$ref"].text(), "$.q[9]");
  EXPECT_EQ(root["chain"]["$ref"].text(), "$.self");
}

// Many references to something large would be a large answer to a small question.
TEST(JsonDocument, BoundsWhatReferencesStandFor) {
  std::string text = "{\"big\":[";
  for (int i = 0; i < 10000; ++i) text += "1,";
  text += "],\"refs\":[";
  for (int i = 0; i < 10000; ++i) text += "{\"$ref\":\"$.big\"},";
  text += "]}";
  const JsonDocument document = Parsed(text);
  size_t resolved = 0;
  for (const JsonValue& item : document.root()["refs"].items()) resolved += item.is_array() ? 1 : 0;
  EXPECT_GT(resolved, 10u);
  EXPECT_LT(resolved, 200u);
}

TEST(JsonDocument, RefusesTheRest) {
  for (const std::string_view bad : {"",
                                     " ",
                                     "{",
                                     "[",
                                     "{\"a\"",
                                     "{\"a\":",
                                     "{\"a\":1",
                                     "[1",
                                     "{\"a\" 1}",
                                     "[1 2]",
                                     "{\"a\":1 \"b\":2}",
                                     "tru",
                                     "{}x",
                                     "\"abc",
                                     "'abc\"",
                                     "\"\\q\"",
                                     "\"\\u12\"",
                                     "{[1]:2}",
                                     "]",
                                     "}",
                                     ":",
                                     "{:1}"}) {
    EXPECT_FALSE(JsonDocument::Parse(bad).ok()) << bad;
  }
}

TEST(JsonDocument, BoundsDepth) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(JsonDocument::Parse(nested(33)).ok());
  EXPECT_FALSE(JsonDocument::Parse(nested(34)).ok());
  std::string keys;  // {{{..}:1}:1}
  for (int i = 0; i < 40; ++i) keys += "{";
  EXPECT_FALSE(JsonDocument::Parse(keys).ok());
}

TEST(JsonDocument, AnyBytesAreParsedOrRefused) {
  std::mt19937 random(5);
  static constexpr std::string_view kAlphabet = "{}[]:,\"'\\u0019aetrfnl$. -\n";
  int parsed = 0;
  for (int round = 0; round < 100000; ++round) {
    std::string text(random() % 24, ' ');
    for (char& c : text) c = kAlphabet[random() % kAlphabet.size()];
    parsed += JsonDocument::Parse(text).ok() ? 1 : 0;
  }
  EXPECT_GT(parsed, 100);
}

}  // namespace
}  // namespace net
