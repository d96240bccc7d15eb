#include "broker/subscription_data.h"

#include "broker/sql/filter.h"
#include "gtest/gtest.h"
#include "store/tags_code.h"

namespace broker {
namespace {

TEST(SubscriptionDataTest, TagExpressions) {
  for (const char* all : {"", "*"}) {
    const auto data = ParseTagExpression("T", all);
    ASSERT_TRUE(data.has_value());
    EXPECT_TRUE(data->codes.empty());
    EXPECT_EQ(data->expression, "*");
  }
  const auto two = ParseTagExpression("T", " A || B||A |||| ");
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(two->tags, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(two->codes, (std::vector<int32_t>{store::JavaHash("A"), store::JavaHash("B")}));
  EXPECT_EQ(ParseTagExpression("T", "||"), std::nullopt);
  EXPECT_EQ(ParseTagExpression("T", "a|b")->tags, std::vector<std::string>{"a|b"});
}

SubscriptionData Read(std::string_view json) {
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(json);
  EXPECT_TRUE(document.ok()) << document.status();
  return SubscriptionData::FromJson(document->root());
}

TEST(SubscriptionDataTest, AsClientsSendIt) {
  // Java.
  const SubscriptionData java = Read(
      R"({"classFilterMode":false,"codeSet":[65],"expressionType":"TAG","subString":"A","subVersion":17,"tagsSet":["A"],"topic":"T"})");
  EXPECT_EQ(java.topic, "T");
  EXPECT_EQ(java.version, 17);
  EXPECT_EQ(java.codes, std::vector<int32_t>{65});
  // Go: hashes as text, which may differ from Java's; the tags count.
  EXPECT_EQ(Read(R"({"topic":"T","subString":"A","tagsSet":["A"],"codeSet":["12"]})").codes, std::vector<int32_t>{65});
  // Only the expression.
  EXPECT_EQ(Read(R"({"topic":"T","subString":"A || B"})").codes, (std::vector<int32_t>{65, 66}));
  EXPECT_TRUE(Read(R"({"topic":"T","subString":"a > 1","expressionType":"SQL92"})").codes.empty());
}

TEST(SubscriptionDataTest, AnExpressionIsCompiledWithIt) {
  const SubscriptionData good = Read(R"({"topic":"T","subString":"a > 1","expressionType":"SQL92"})");
  ASSERT_NE(good.sql, nullptr);
  EXPECT_TRUE(good.sql->Matches("a\x01" "2\x02"));
  EXPECT_TRUE(good == Read(R"({"topic":"T","subString":"a > 1","expressionType":"SQL92"})")) << "not compared by its filter";
  EXPECT_FALSE(good == Read(R"({"topic":"T","subString":"a > 2","expressionType":"SQL92"})"));
  const SubscriptionData bad = Read(R"({"topic":"T","subString":"a >","expressionType":"SQL92"})");
  EXPECT_EQ(bad.sql, nullptr);
  EXPECT_NE(bad.SqlError(), "");
  EXPECT_EQ(Read(R"({"topic":"T","expressionType":"SQL92"})").sql, nullptr) << "an expression must be there";
  EXPECT_EQ(Read(R"({"topic":"T","subString":"a > 1"})").sql, nullptr);
}

// A heartbeat of 4 MB holds some 500,000 tags, and each message of each pull was compared with all of them.
TEST(SubscriptionDataTest, WithTooManyTagsEverythingIsSent) {
  const auto with_tags = [](int count) {
    std::string json = R"({"topic":"T","subString":"x","tagsSet":["0")";
    for (int i = 1; i < count; ++i) json += ",\"" + std::to_string(i) + "\"";
    return Read(json + "]}");
  };
  EXPECT_EQ(with_tags(1024).codes.size(), 1024U);
  const SubscriptionData many = with_tags(1025);
  EXPECT_TRUE(many.codes.empty() && many.tags.empty());
  EXPECT_EQ(many.expression, "*");
}

}  // namespace
}  // namespace broker
