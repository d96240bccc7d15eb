// The language, and its limits. tests/interop/cases_filter.py compares it with RocketMQ's own evaluator on many more expressions.
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/message_properties.h"
#include "broker/sql/filter.h"
#include "broker/sql/filter_cache.h"
#include "broker/sql/value.h"
#include "core/strings.h"
#include "gtest/gtest.h"

namespace broker::sql {
namespace {

using Properties = std::initializer_list<std::pair<std::string_view, std::string_view>>;

std::string TextOf(Properties properties) {
  std::string text;
  for (const auto& [name, value] : properties) AppendProperty(text, name, value);
  return text;
}

bool Passes(std::string_view expression, Properties properties) {
  const absl::StatusOr<std::shared_ptr<const Filter>> filter = Filter::Compile(expression);
  EXPECT_TRUE(filter.ok()) << expression << ": " << filter.status();
  return filter.ok() && (*filter)->Matches(TextOf(properties));
}

/// Why it is refused; empty when it is not.
std::string ErrorOf(std::string_view expression) { return std::string(Filter::Compile(expression).status().message()); }

std::string Repeated(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(SqlFilterTest, EveryOperator) {
  const Properties message = {{"a", "5"}, {"b", "text"}, {"TAGS", "TagA"}};
  for (const char* yes : {"a = 5",
                          "a <> 6",
                          "a < 6",
                          "a <= 5",
                          "a > 4",
                          "a >= 5",
                          "a BETWEEN 5 AND 7",
                          "a NOT BETWEEN 6 AND 7",
                          "a IN ('4', '5')",
                          "a NOT IN ('4')",
                          "missing IS NULL",
                          "a IS NOT NULL",
                          "b CONTAINS 'ex'",
                          "b NOT CONTAINS 'y'",
                          "b STARTSWITH 'te'",
                          "b NOT STARTSWITH 'ex'",
                          "b ENDSWITH 'xt'",
                          "b NOT ENDSWITH 'te'",
                          "a = 5 AND b = 'text'",
                          "a = 6 OR b = 'text'",
                          "NOT (a = 6)",
                          "TRUE",
                          "a = 5 = TRUE",
                          "TAGS is not null and TAGS in ('TagA', 'TagB')",
                          "(((a))) = +5",
                          "a > -5",
                          "-5 < a"}) {
    EXPECT_TRUE(Passes(yes, message)) << yes;
  }
  for (const char* no : {"a = 6",
                         "a <> 5",
                         "a < 5",
                         "a <= 4",
                         "a > 5",
                         "a >= 6",
                         "a BETWEEN 6 AND 7",
                         "a NOT BETWEEN 5 AND 7",
                         "a IN ('4', '55')",
                         "a NOT IN ('4', '5')",
                         "a IS NULL",
                         "missing IS NOT NULL",
                         "b CONTAINS 'y'",
                         "b NOT CONTAINS 'ex'",
                         "b STARTSWITH 'ex'",
                         "b ENDSWITH 'te'",
                         "a = 5 AND b = 'x'",
                         "a = 6 OR b = 'x'",
                         "NOT (a = 5)",
                         "FALSE",
                         "NULL",
                         "a",
                         "A = 5",
                         "tags = 'TagA'"}) {
    EXPECT_FALSE(Passes(no, message)) << no;
  }
}

TEST(SqlFilterTest, NullIsNeitherTrueNorFalse) {
  const Properties message = {{"a", "5"}};
  for (const char* neither : {"x = 1", "x <> 1", "NOT (x = 1)", "x > 1", "x BETWEEN 1 AND 2", "x NOT BETWEEN 1 AND 2",
                              "x IN ('1')", "x NOT IN ('1')", "x", "NOT x", "NULL", "NOT NULL", "x = 1 AND a = 5",
                              "NOT (x = 1 AND a = 5)", "x = 1 OR a = 6", "NOT (x = 1 OR a = 6)"}) {
    EXPECT_FALSE(Passes(neither, message)) << neither;
    EXPECT_TRUE(Passes(core::StrCat("(", neither, ") IS NULL"), message)) << neither;
  }
  EXPECT_TRUE(Passes("x = 1 OR a = 5", message));
  EXPECT_TRUE(Passes("NOT (x = 1 AND a = 6)", message));
  EXPECT_TRUE(Passes("x = y", message)) << "both are missing";
  EXPECT_TRUE(Passes("NOT (a = x)", message)) << "only the right one is missing: false";
  EXPECT_FALSE(Passes("NOT (x = a)", message)) << "only the left one is missing: null";
  EXPECT_TRUE(Passes("(a = 6) IS NOT NULL", message));
  // These are false, with NOT and without, where there is nothing to look into or for.
  for (const char* no : {"x CONTAINS 'a'", "x NOT CONTAINS 'a'", "a CONTAINS ''", "a NOT CONTAINS ''", "5 CONTAINS '5'",
                         "x NOT STARTSWITH 'a'", "x NOT ENDSWITH 'a'"}) {
    EXPECT_FALSE(Passes(no, message)) << no;
    EXPECT_TRUE(Passes(core::StrCat("NOT (", no, ")"), message)) << no;
  }
}

TEST(SqlFilterTest, Precedence) {
  const Properties message = {{"a", "1"}};
  EXPECT_TRUE(Passes("TRUE OR FALSE AND FALSE", message));
  EXPECT_FALSE(Passes("(TRUE OR FALSE) AND FALSE", message));
  EXPECT_TRUE(Passes("FALSE AND FALSE OR TRUE", message));
  EXPECT_TRUE(Passes("a = 1 <> FALSE", message)) << "from the left";
  EXPECT_TRUE(Passes("FALSE = a > 1", message)) << "> binds closer than =";
  EXPECT_FALSE(Passes("NOT a = 1", message)) << "(NOT a) = 1";
  EXPECT_FALSE(Passes("NOT a IS NULL", message)) << "(NOT a) IS NULL";
  EXPECT_TRUE(Passes("NOT missing IS NULL", message));
  EXPECT_TRUE(Passes("a BETWEEN 0 AND 1 AND a = 1", message)) << "the first AND belongs to BETWEEN";
  EXPECT_TRUE(Passes("missing IS NULL IS NOT NULL", message));
}

TEST(SqlFilterTest, ATextBesideANumberIsReadInItsWidth) {
  EXPECT_TRUE(Passes("a > 5", {{"a", "2147483647"}}));
  EXPECT_FALSE(Passes("a > 5", {{"a", "2147483648"}})) << "beside an int of Java";
  EXPECT_TRUE(Passes("a > 2147483648", {{"a", "2147483649"}}));
  EXPECT_TRUE(Passes("a = 2147483648", {{"a", "2147483648"}}));
  EXPECT_FALSE(Passes("a > 5", {{"a", "5.5"}}));
  EXPECT_TRUE(Passes("a > 5.0", {{"a", "5.5"}}));
  EXPECT_TRUE(Passes("a = 5.0", {{"a", " 5 "}})) << "doubles are trimmed";
  EXPECT_FALSE(Passes("a = 5", {{"a", " 5 "}}));
  EXPECT_TRUE(Passes("a = 5 AND a = '+5'", {{"a", "+5"}})) << "as a number and as a text";
  EXPECT_TRUE(Passes("a > b", {{"a", "10"}, {"b", "9"}})) << "two properties in order are doubles";
  EXPECT_FALSE(Passes("a = b", {{"a", "10"}, {"b", "10.0"}})) << "and texts when equal";
  EXPECT_TRUE(Passes("5 = 5.0", {}));
  EXPECT_TRUE(Passes("'5' = 5", {}));
  EXPECT_TRUE(Passes("a = TRUE AND b = FALSE", {{"a", "True"}, {"b", "no"}}));
  EXPECT_FALSE(Passes("TRUE = a", {{"a", "true"}})) << "RocketMQ reads only the left side as a boolean";
}

// Whatever else the expression asks for: RocketMQ's evaluation ends there.
TEST(SqlFilterTest, WhatIsNoNumberFailsTheWholeExpression) {
  EXPECT_FALSE(Passes("a > 5 OR TRUE", {{"a", "x"}}));
  EXPECT_FALSE(Passes("NOT (a > 5)", {{"a", "x"}}));
  EXPECT_FALSE(Passes("(a > 5) IS NULL", {{"a", "x"}}));
  EXPECT_TRUE(Passes("TRUE OR a > 5", {{"a", "x"}})) << "not looked at";
  EXPECT_TRUE(Passes("NOT (FALSE AND a > 5)", {{"a", "x"}}));
  EXPECT_TRUE(Passes("a NOT BETWEEN 6 AND b", {{"a", "5"}, {"b", "x"}}));
  EXPECT_FALSE(Passes("a NOT BETWEEN 4 AND b", {{"a", "5"}, {"b", "x"}}));
}

TEST(SqlFilterTest, Literals) {
  const Properties message = {{"a", "5"}, {"big", "3000000000"}, {"q", "it's"},
                              {"r", "'"}, {"u", "grün"},         {"neg", "-7"}};
  for (const char* yes :
       {"a = 5L",     "a = 5l",         "big = 3000000000L", "a = 5.",       "a = 5.0",
        "a = .5E1",   "a = 5e0",        "a = 50e-1",         "a = 0.5E+1",   "neg = -7",
        "neg = - 7",  "neg = -7.0",     "neg < - - 7",       "q = 'it''s'",  "r = ''''",
        "u = 'grün'", "u CONTAINS 'ü'", "TRUE = true",       "a > 4.9E-324", "a < 1.7976931348623157e308",
        "a <> 0",     "a <> 0L",        "-a IS NULL",        "-'x' IS NULL"}) {
    EXPECT_TRUE(Passes(yes, message)) << yes;
  }
  EXPECT_TRUE(Passes("neg > -9223372036854775807", message));
}

TEST(SqlFilterTest, WordsBlanksAndComments) {
  const Properties message = {{"a", "5"}, {"_b", "x"}, {"$c1", "y"}, {"notes", "z"}};
  for (const char* yes :
       {"a Is nOt NULL aNd a betWEEN 1 aND 9", "a\t=\r\n\f5", "  a=5AND _b='x'OR a=6", "$c1 = 'y' AND notes = 'z'",
        "a = 5 -- AND a = 6\n AND _b = 'x'", "a /* one * two **/ = /**/ 5", "a = 5 -- to the end", "a = --5"}) {
    EXPECT_TRUE(Passes(yes, message)) << yes;
  }
}

TEST(SqlFilterTest, ABadExpressionIsToldWhere) {
  struct Case {
    std::string_view expression;
    size_t character;
    std::string_view what;
  };
  for (const Case& one : std::vector<Case>{
           {"", 1, "it ends where"},
           {"  ", 3, "it ends where"},
           {"a =", 4, "it ends where"},
           {"a = 1 AMD b = 2", 7, "\"AMD\""},
           {"a = 1 b", 7, "AND, OR or the end"},
           {"a = 1)", 6, "\")\""},
           {"(a = 1", 7, "\")\""},
           {"a == 1", 4, "\"=\""},
           {"a != 1", 3, "\"!\""},
           {"grün = 1", 3, "\"ü\""},
           {"u = 'grün' X", 12, "\"X\""},
           {"a = \"x\"", 5, "single quotes"},
           {"a = 'x", 5, "does not end"},
           {"a = 'it''s", 5, "does not end"},
           {"a /* x", 3, "\"/\""},
           {"a LIKE 'x%'", 3, "\"LIKE\""},
           {"a + 1 = 2", 3, "\"+\""},
           {"5", 1, "a condition"},
           {"a = 1 AND 'x'", 11, "a condition"},
           {"NOT 5", 5, "a condition"},
           {"a = NULL", 5, "IS NULL"},
           {"a > 'x'", 5, "numbers and properties"},
           {"TRUE > 1", 1, "numbers and properties"},
           {"(a = 1) > 1", 2, "numbers and properties"},
           {"NOT a > 1", 1, "numbers and properties"},
           {"TRUE = 'x'", 8, "TRUE and FALSE"},
           {"a BETWEEN 2 AND 1", 11, "greater"},
           {"a BETWEEN 1 OR 2", 13, "AND"},
           {"a BETWEEN 'a' AND 'b'", 11, "numbers and properties"},
           {"a IN (5)", 7, "a string"},
           {"a IN ()", 7, "a string"},
           {"a IN 'x'", 6, "\"(\""},
           {"a IN ('x' 'y')", 11, "\")\""},
           {"'a' IN ('x')", 1, "a property"},
           {"a CONTAINS b", 12, "a string"},
           {"a NOT = 1", 7, "BETWEEN, IN"},
           {"a IS 5", 6, "NULL"},
           {"-(a = 1) = 2", 3, "minus"},
           {"a = 007", 5, "begin with 0"},
           {"a = 0x1F", 6, "\"x1F\""},
           {"a = 9223372036854775808", 5, "too large"},
           {"a = 1e999", 5, "too large"},
           {"a > 0.0", 5, "4.9E-324"},
           {"a = 'a string that is longer than what is shown of it' 'more'", 56, "\"'more'\""},
           {"a 'a string that is longer than what is shown of it'", 3, "\"'a string that is longer...\""},
       }) {
    const std::string error = ErrorOf(one.expression);
    EXPECT_TRUE(error.find(core::StrCat("character ", one.character, ": ")) != std::string::npos)
        << one.expression << ": " << error;
    EXPECT_TRUE(error.find(one.what) != std::string::npos) << one.expression << ": " << error;
  }
}

TEST(SqlFilterTest, WhatIsTooLargeIsRefused) {
  EXPECT_EQ(ErrorOf(std::string(size_t{1} << 20, 'a')),
            "the SQL92 expression has 1048576 bytes; at most 65536 are taken");
  EXPECT_EQ(ErrorOf("a = 1" + Repeated(" ", kExpressionBytesMax - 5)), "");
  const auto nested = [](size_t depth) { return Repeated("(", depth) + "a = 1" + Repeated(")", depth); };
  EXPECT_EQ(ErrorOf(nested(kDepthMax)), "");
  EXPECT_NE(ErrorOf(nested(kDepthMax + 1)), "");
  EXPECT_NE(ErrorOf(Repeated("(", kExpressionBytesMax)), "");
  EXPECT_EQ(ErrorOf(Repeated("NOT ", kDepthMax) + "a"), "");
  EXPECT_NE(ErrorOf(Repeated("NOT ", kDepthMax + 1) + "a"), "");
  EXPECT_NE(ErrorOf("a = " + Repeated("-", kExpressionBytesMax - 4)), "");
  EXPECT_NE(ErrorOf("a = " + Repeated("- ", 1000) + "1"), "");
  // Each level leaves OR, AND and = waiting; NOT is a level by itself.
  const std::string waiting =
      Repeated("a OR a AND NOT a = (", kDepthMax - 1) + "a OR a AND NOT a = NOT a" + Repeated(")", kDepthMax - 1);
  EXPECT_EQ(ErrorOf(waiting), "");
  EXPECT_FALSE(Passes(waiting, {}));

  std::string properties = "p0";
  for (size_t i = 1; i < kPropertiesMax; ++i) properties += core::StrCat(" OR p", i);
  EXPECT_EQ(ErrorOf(properties + " OR p0"), "");
  EXPECT_NE(ErrorOf(properties + " OR another").find("128 different properties"), std::string::npos);

  const size_t terms = (kStepsMax + 2) / 3;
  EXPECT_EQ(ErrorOf("a" + Repeated(" OR a", terms - 1)), "");
  EXPECT_NE(ErrorOf("a" + Repeated(" OR a", terms)).find("too many comparisons"), std::string::npos);
}

TEST(SqlFilterTest, LongListsAndChainsWork) {
  std::string list = "a IN ('0'";
  for (int i = 1; i < 5000; ++i) list += core::StrCat(", '", i, "'");
  list += ")";
  EXPECT_TRUE(Passes(list, {{"a", "4321"}}));
  EXPECT_FALSE(Passes(list, {{"a", "5000"}}));
  std::string chain = "a = '0'";
  for (int i = 1; i < 1000; ++i) chain += core::StrCat(" OR a = '", i, "'");
  EXPECT_TRUE(Passes(chain, {{"a", "999"}}));
  EXPECT_FALSE(Passes(chain, {{"a", "1000"}}));
}

TEST(SqlFilterTest, PropertiesAsTheyAreStored) {
  const auto filter = Filter::Compile("a = '2' AND b IS NULL");
  ASSERT_TRUE(filter.ok());
  EXPECT_TRUE(
      (*filter)->Matches("a\x01"
                         "1\x02"
                         "a\x01"
                         "2\x02"))
      << "the last one counts";
  EXPECT_TRUE(
      (*filter)->Matches("a\x01"
                         "2"))
      << "not closed";
  EXPECT_TRUE(
      (*filter)->Matches("b\x02"
                         "\x01x\x02"
                         "b\x01\x02"
                         "a\x01"
                         "2\x02"))
      << "neither name nor value";
  EXPECT_FALSE((*filter)->Matches(""));
  EXPECT_FALSE((*filter)->Matches("\x01\x02\x01\x02"));
  EXPECT_FALSE(
      (*filter)->Matches("aa\x01"
                         "2\x02"));
}

TEST(SqlValueTest, NumbersAsJavaReadsThem) {
  for (const char* none :
       {"", "+", "-", "+-1", "1 ", " 1", "1.0", "1L", "0x1", "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_EQ(ReadInteger(none), std::nullopt) << none;
  }
  EXPECT_EQ(ReadInteger("+007"), 7);
  EXPECT_EQ(ReadInteger("-9223372036854775808"), INT64_MIN);
  for (const char* none : {"",    " ",   ".",   "+",   "-.",  "e1",       ".e1",     "1e",  "1e+",   "1x",
                           "1ff", "--1", "+-1", "nan", "inf", "infinity", "Infinit", "1 2", "0x1p1", "1f ."}) {
    EXPECT_EQ(ReadReal(none), std::nullopt) << none;
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::string zeros(400, '0');
  for (const auto& [text, value] : std::vector<std::pair<std::string, double>>{{"1", 1},
                                                                               {"+1.", 1},
                                                                               {"-.5", -0.5},
                                                                               {" \t1.5e1\n", 15},
                                                                               {"1f", 1},
                                                                               {"2D", 2},
                                                                               {"1e0000000000002", 100},
                                                                               {"1e400", kInfinity},
                                                                               {"-1e400", -kInfinity},
                                                                               {"1e-400", 0},
                                                                               {"Infinity", kInfinity},
                                                                               {"-Infinity", -kInfinity},
                                                                               {"4.9E-324", 4.9e-324},
                                                                               {"1" + zeros, kInfinity},
                                                                               {"1" + zeros + "e-400", 1},
                                                                               {"0." + zeros + "1", 0},
                                                                               {"0." + zeros + "1e401", 1},
                                                                               {"0e999999999999", 0},
                                                                               {"1e99999999999", kInfinity},
                                                                               {"1e-99999999999", 0},
                                                                               {"0.1", 0.1}}) {
    EXPECT_EQ(ReadReal(text), value) << text;
  }
  EXPECT_TRUE(std::isnan(*ReadReal("NaN")));
  EXPECT_TRUE(std::signbit(*ReadReal("-0")));
}

TEST(SqlValueTest, DoublesAreOrderedAsInJava) {
  const Value nan = Value::Real(std::nan(""));
  EXPECT_EQ(Compare(nan, nan), 0);
  EXPECT_GT(Compare(nan, Value::Real(std::numeric_limits<double>::infinity())), 0);
  EXPECT_LT(Compare(Value::Real(-0.0), Value::Real(0.0)), 0);
  EXPECT_GT(Compare(Value::Integer(0), Value::Real(-0.0)), 0);
}

TEST(SqlFilterCacheTest, SharesAndForgets) {
  FilterCache cache;
  const auto first = cache.Get("a = 1");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(cache.Get("a = 1").value(), first.value());
  EXPECT_FALSE(cache.Get("a =").ok());
  EXPECT_EQ(cache.size(), 1u);
  for (size_t i = 0; i < 10 * FilterCache::kGenerationMax; ++i) {
    ASSERT_TRUE(cache.Get(core::StrCat("b = ", i)).ok());
    if (i % 100 == 0) {
      ASSERT_EQ(cache.Get("a = 1").value(), first.value()) << "what is asked for stays";
    }
  }
  EXPECT_LE(cache.size(), 2 * FilterCache::kGenerationMax);
  const std::string large = Repeated(" ", kExpressionBytesMax - 20);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(cache.Get(core::StrCat(large, "c = ", i)).ok());
  EXPECT_LE(cache.size(), 2 * FilterCache::kGenerationBytesMax / kExpressionBytesMax + 2);
}

}  // namespace
}  // namespace broker::sql
