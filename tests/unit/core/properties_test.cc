#include "core/properties.h"

#include <gtest/gtest.h>

namespace core {
namespace {

std::vector<Property> Parsed(std::string_view text) {
  const auto properties = ParseProperties(text);
  EXPECT_TRUE(properties.ok()) << properties.status();
  return properties.ok() ? *properties : std::vector<Property>();
}

TEST(PropertiesTest, SeparatorsBlanksAndComments) {
  const std::vector<Property> expected = {
      {"brokerName", "a", 2}, {"listenPort", "10911", 4}, {"namesrvAddr", "h:1;h:2", 5}, {"word", "x y", 6}};
  EXPECT_EQ(Parsed("# comment\nbrokerName = a  \r\n! also one \\\nlistenPort:10911\n\tnamesrvAddr=h:1;h:2\nword x y\n"),
            expected);
}

// A comment does not go on at its backslash, a value does, and the next property's line number counts them all.
TEST(PropertiesTest, ContinuationLinesKeepLineNumbers) {
  const std::vector<Property> expected = {{"a", "one,two", 1}, {"b", "c\\", 3}, {"d", "e", 4}};
  EXPECT_EQ(Parsed("a = one,\\\n     two\nb=c\\\\\nd=e"), expected);
}

TEST(PropertiesTest, Escapes) {
  const std::vector<Property> expected = {{"a=b c", "\tx\n\xc3\xa4\xf0\x9f\x98\x80 ", 1}};
  EXPECT_EQ(Parsed("a\\=b\\ c = \\tx\\n\\u00e4\\uD83D\\uDE00\\ "), expected);
}

TEST(PropertiesTest, EmptyValueIsAValueAndTheSameKeyTwiceIsTwoProperties) {
  const std::vector<Property> expected = {{"brokerIP1", "", 1}, {"k", "1", 2}, {"k", "2", 3}};
  EXPECT_EQ(Parsed("brokerIP1=\nk=1\nk=2\n"), expected);
}

// Java reads these in silence as an empty value, an empty key and an exception without line.
TEST(PropertiesTest, ErrorsNameTheLine) {
  EXPECT_EQ(ParseProperties("a=1\n\nlistenPort\n").status().message(), "line 3: 'listenPort' is not KEY=VALUE");
  EXPECT_EQ(ParseProperties("a=1\n=2\n").status().message(), "line 2: no key before '='");
  EXPECT_EQ(ParseProperties("a=\\\n\\u12g4\n").status().message(), "line 1: \\u wants four hexadecimal digits");
  EXPECT_EQ(ParseProperties("a=\\ud800x").status().message(), "line 1: \\u of half a surrogate pair");
}

TEST(PropertiesTest, EveryCutOfAFileIsParsedOrRefusedWithoutReadingBeyond) {
  const std::string text = "a\\u0041 = \\\r\n b\\\n\\ud83d\\ude00 \\\\\n# c\\\nd:e\\";
  for (size_t length = 0; length <= text.size(); ++length) {
    const std::string cut = text.substr(0, length);  // its own block, so that the sanitizer sees a read past the end
    (void)ParseProperties(cut).ok();
  }
}

TEST(PropertiesTest, Assignment) {
  EXPECT_EQ(ParseAssignment("namesrvAddr=a=b")->value, "a=b");
  EXPECT_FALSE(ParseAssignment("namesrvAddr").ok());
  EXPECT_FALSE(ParseAssignment("=x").ok());
}

}  // namespace
}  // namespace core
