#include "store/tags_code.h"

#include <gtest/gtest.h>

#include <string>

namespace store {
namespace {

// The numbers are Java's own ("...".hashCode()); a tag hashed otherwise would never be delivered.
TEST(TagsCodeTest, IsTheHashOfJava) {
  EXPECT_EQ(JavaHash(""), 0);
  EXPECT_EQ(JavaHash("TagA"), 2598919);
  EXPECT_EQ(JavaHash("polygenelubricants"), INT32_MIN);
  EXPECT_EQ(JavaHash("\xe4\xb8\xad\xe6\x96\x87"), 646394);        // two characters of three bytes each
  EXPECT_EQ(JavaHash("\xf0\x9f\x98\x80"), 0xD83D * 31 + 0xDE00);  // a surrogate pair in Java
}

// A code that differs from the one that the send gave would hide the message from its consumers once the store has to make it anew.
TEST(TagsCodeTest, OfProperties) {
  EXPECT_EQ(TagsCodeOf(""), 0);
  EXPECT_EQ(TagsCodeOf("KEYS\x01TAGS\x02"), 0);
  EXPECT_EQ(TagsCodeOf("KEYS\x01k\x02TAGS\x01TagA\x02WAIT\x01true\x02"), 2598919);
  EXPECT_EQ(TagsCodeOf("TAGS\x01\x02"), 0);
  EXPECT_EQ(TagsCodeOf("TAGS\x01TagB\x02TAGS\x01TagA\x02"), 2598919);
}

}  // namespace
}  // namespace store
