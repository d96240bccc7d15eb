// Goal: a signature is the one that RocketMQ's clients make, and no other passes. The expected ones were made by another program (Python's hmac) after RocketMQ
// 5.3.3 AclClientRPCHook; real clients are in tests/interop.
#include "net/signature.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "net/request_code.h"

namespace net {
namespace {

/// A frame that owns what it says.
struct SignedFrame {
  SignedFrame(std::vector<std::pair<std::string, std::string>> all, std::string_view body = {}) : texts(std::move(all)) {
    for (const auto& [name, value] : texts) frame.fields.push_back({name, value});
    if (!body.empty()) frame.body = pool.Copy(body);
  }
  SignedFrame& Sign(std::string_view signature) {
    frame.fields.push_back({kSignatureField, signature});
    return *this;
  }
  std::vector<std::pair<std::string, std::string>> texts;
  core::BufferPool pool{0};
  Frame frame;
};

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kPlain = "fxkhkaMVm7vk/L3QVNLYJzzLHUA=";
const Fields kFields = {{"topic", "T"}, {"queueId", "3"}, {"b", "ä"}, {"AccessKey", "alice"}};

TEST(SignatureTest, IsTheOneOfRocketMqsClients) {
  const Signer signer("secret");
  EXPECT_EQ(signer.Sign(SignedFrame(kFields, "body").frame), kPlain);
  EXPECT_EQ(signer.Sign(SignedFrame(Fields{{"AccessKey", "alice"}}).frame), "rFnS5W1weQF74RInF5UVhrfEBmA=") << "without a body";
  EXPECT_EQ(Signer(std::string(200, 'p')).Sign(SignedFrame(Fields{{"x", std::string(5000, 'y')}, {"a", "1"}, {"AccessKey", "alice"}}, std::string(3000, 'z')).frame),
            "51BbygVxp+g0MJZvFi2BMfiji+s=")
      << "with a secret, a value and a body that are long";
  EXPECT_EQ(signer.Sign(SignedFrame(kFields, "body").frame), kPlain) << "the second time";
}

TEST(SignatureTest, TheOrderInWhichFieldsComeIsNoMatter) {
  const Signer signer("secret");
  EXPECT_TRUE(signer.Fits(SignedFrame(Fields{{"AccessKey", "alice"}, {"b", "ä"}, {"queueId", "3"}, {"topic", "T"}}, "body").Sign(kPlain).frame));
  SignedFrame first(Fields{}, "body");
  first.frame.fields.push_back({kSignatureField, kPlain});
  for (const auto& [name, value] : kFields) first.frame.fields.push_back({name, value});
  EXPECT_TRUE(signer.Fits(first.frame));
}

TEST(SignatureTest, NamesThatBeginAlikeAreInOrder) {
  using namespace std::string_literals;
  const Signer signer("secret");
  const Fields sorted = {{"a", "1"}, {"a\0"s, "2"}, {"a\0b"s, "3"}, {"ab", "4"}, {"abcdefgh", "5"}, {"abcdefghA", "6"}, {"abcdefghi", "7"}, {"abcdefghij", "8"}, {"\xc3\xa4", "9"}};
  Fields shuffled = sorted;
  std::reverse(shuffled.begin(), shuffled.end());
  std::swap(shuffled[2], shuffled[6]);
  EXPECT_EQ(signer.Sign(SignedFrame(shuffled).frame), signer.Sign(SignedFrame(Fields{}, "123456789").frame)) << "the values, and nothing of the names";
}

TEST(SignatureTest, OfAFieldGivenTwiceTheLastCounts) {
  Fields fields = kFields;
  fields.insert(fields.begin(), {"topic", "Another"});
  EXPECT_TRUE(Signer("secret").Fits(SignedFrame(fields, "body").Sign(kPlain).frame)) << "as it does for who reads the header";
  fields = kFields;
  fields.emplace_back("topic", "Another");
  EXPECT_FALSE(Signer("secret").Fits(SignedFrame(fields, "body").Sign(kPlain).frame));
}

TEST(SignatureTest, AnythingElseDoesNotFit) {
  const Signer signer("secret");
  EXPECT_FALSE(signer.Fits(SignedFrame(kFields, "body").frame)) << "unsigned";
  EXPECT_FALSE(signer.Fits(SignedFrame(kFields, "body").Sign("").frame));
  EXPECT_FALSE(signer.Fits(SignedFrame(kFields, "body").Sign("fxkhkaMVm7vk/L3QVNLYJzzLHUA").frame)) << "shorter";
  EXPECT_FALSE(signer.Fits(SignedFrame(kFields, "body").Sign("Fxkhkamvm7vk/L3QVNLYJzzLHUA=").frame)) << "other letters";
  EXPECT_FALSE(signer.Fits(SignedFrame(kFields, "Body").Sign(kPlain).frame)) << "another body";
  EXPECT_FALSE(signer.Fits(SignedFrame(kFields).Sign(kPlain).frame)) << "without it";
  EXPECT_FALSE(Signer("Secret").Fits(SignedFrame(kFields, "body").Sign(kPlain).frame)) << "another secret";
  for (size_t i = 0; i < kFields.size(); ++i) {
    Fields fields = kFields;
    fields[i].second += "x";
    EXPECT_FALSE(signer.Fits(SignedFrame(fields, "body").Sign(kPlain).frame)) << fields[i].first;
    fields.erase(fields.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_FALSE(signer.Fits(SignedFrame(fields, "body").Sign(kPlain).frame)) << "without " << kFields[i].first;
  }
}

TEST(SignatureTest, WhatOldClientsAddAfterTheyHaveSignedMayBeThere) {
  const Signer signer("secret");
  Fields fields = kFields;
  fields.emplace_back("_UNIQUE_KEY_QUERY", "true");
  EXPECT_TRUE(signer.Fits(SignedFrame(fields, "body").Sign("iONnd8imTRuXpKjpgFV3nqkb6gk=").frame)) << "signed";
  SignedFrame added(fields, "body");
  EXPECT_FALSE(signer.Fits(added.Sign(kPlain).frame)) << "of another request";
  added.frame.code = static_cast<int32_t>(RequestCode::kQueryMessage);
  EXPECT_TRUE(signer.Fits(added.frame));
}

}  // namespace
}  // namespace net
