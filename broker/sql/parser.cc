#include "broker/sql/parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <system_error>

#include "core/strings.h"

namespace broker::sql {
namespace {

/// What an error message shows of the expression.
constexpr size_t kShownBytesMax = 24;

bool ContinuesCharacter(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

/// The beginning of `text`, in quotes.
std::string Shown(std::string_view text) {
  if (text.size() <= kShownBytesMax) return core::StrCat("\"", text, "\"");
  size_t end = kShownBytesMax;
  while (end > 0 && ContinuesCharacter(text[end])) --end;
  return core::StrCat("\"", text.substr(0, end), "...\"");
}

std::string_view WordOf(TokenKind kind) {
  switch (kind) {
    case TokenKind::kClose:
      return "\")\"";
    case TokenKind::kOpen:
      return "\"(\"";
    case TokenKind::kAnd:
      return "AND";
    default:
      return "NULL";
  }
}

}  // namespace

absl::Status Parser::Parse() {
  if (expression_.size() > kExpressionBytesMax) {
    return absl::InvalidArgumentError(core::StrCat("the SQL92 expression has ", expression_.size(), " bytes; at most ",
                                                   kExpressionBytesMax, " are taken"));
  }
  filter_.text_ = std::make_unique_for_overwrite<char[]>(expression_.size());
  Advance();
  MakeCondition(Or());
  // RocketMQ's comments end with their line; one at the very end may do without.
  const bool comment = token_.kind == TokenKind::kMinus && expression_.substr(token_.at).starts_with("--");
  if (token_.kind != TokenKind::kEnd && !comment) Unexpected("AND, OR or the end");
  filter_.names_.shrink_to_fit();
  filter_.literals_.shrink_to_fit();
  filter_.list_texts_.shrink_to_fit();
  filter_.lists_.shrink_to_fit();
  filter_.steps_.shrink_to_fit();
  return status_;
}

Parser::Part Parser::Or() {
  Part left = And();
  while (Accept(TokenKind::kOr)) {
    MakeCondition(left);
    const size_t skip = Skip(Op::kSkipIfTrue);
    MakeCondition(And());
    left = Write(Op::kOr, left.at, kTop, kTop);
    Arrive(skip);
  }
  return left;
}

Parser::Part Parser::And() {
  Part left = Equality();
  while (Accept(TokenKind::kAnd)) {
    MakeCondition(left);
    const size_t skip = Skip(Op::kSkipIfFalse);
    MakeCondition(Equality());
    left = Write(Op::kAnd, left.at, kTop, kTop);
    Arrive(skip);
  }
  return left;
}

Parser::Part Parser::Equality() {
  Part left = Comparison();
  while (true) {
    if (Accept(TokenKind::kIs)) {
      const bool negated = Accept(TokenKind::kNot);
      Expect(TokenKind::kNull);
      left = Write(Op::kIsNull, left.at, left.operand, {}, negated);
      continue;
    }
    const bool negated = token_.kind == TokenKind::kNotEqual;
    if (!negated && token_.kind != TokenKind::kEqual) return left;
    Advance();
    const Part right = Comparison();
    MustBeComparable(left, right);
    left = Write(Op::kEqual, left.at, left.operand, right.operand, negated);
  }
}

Parser::Part Parser::Comparison() {
  Part left = Signed();
  while (true) {
    const bool negated = Accept(TokenKind::kNot);
    const TokenKind kind = token_.kind;
    switch (kind) {
      case TokenKind::kBetween:
        Advance();
        left = Between(left, negated);
        continue;
      case TokenKind::kIn:
        Advance();
        left = In(left, negated);
        continue;
      case TokenKind::kContains:
        Advance();
        left = WithPart(left, Op::kContains, negated);
        continue;
      case TokenKind::kStartsWith:
        Advance();
        left = WithPart(left, Op::kStartsWith, negated);
        continue;
      case TokenKind::kEndsWith:
        Advance();
        left = WithPart(left, Op::kEndsWith, negated);
        continue;
      default:
        break;
    }
    if (negated) Unexpected("BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH");
    switch (kind) {
      case TokenKind::kLess:
        left = Ordered(left, Op::kLess);
        break;
      case TokenKind::kLessEqual:
        left = Ordered(left, Op::kLessEqual);
        break;
      case TokenKind::kGreater:
        left = Ordered(left, Op::kGreater);
        break;
      case TokenKind::kGreaterEqual:
        left = Ordered(left, Op::kGreaterEqual);
        break;
      default:
        return left;
    }
  }
}

Parser::Part Parser::Ordered(const Part& left, Op op) {
  Advance();
  const Part right = Signed();
  MustHaveOrder(left);
  MustHaveOrder(right);
  return Write(op, left.at, left.operand, right.operand);
}

Parser::Part Parser::Between(const Part& value, bool negated) {
  const Part low = Signed();
  Expect(TokenKind::kAnd);
  const Part high = Signed();
  MustHaveOrder(value);
  MustHaveOrder(low);
  MustHaveOrder(high);
  const Value* const least = LiteralOf(low);
  const Value* const most = LiteralOf(high);
  if (!negated && least != nullptr && most != nullptr && Compare(*most, *least) < 0) {
    Fail(low.at, "the first number of BETWEEN is greater than the second one");
  }
  Write(negated ? Op::kLess : Op::kGreaterEqual, value.at, value.operand, low.operand);
  const size_t skip = Skip(negated ? Op::kSkipIfTrue : Op::kSkipIfFalse);
  Write(negated ? Op::kGreater : Op::kLessEqual, value.at, value.operand, high.operand);
  const Part both = Write(negated ? Op::kOr : Op::kAnd, value.at, kTop, kTop);
  Arrive(skip);
  return both;
}

Parser::Part Parser::In(const Part& property, bool negated) {
  if (property.kind != Part::Kind::kProperty) Fail(property.at, "IN looks at a property, and this is none");
  std::vector<std::string_view>& texts = filter_.list_texts_;
  const size_t begin = texts.size();
  Expect(TokenKind::kOpen);
  do {
    texts.push_back(StringText());
  } while (Accept(TokenKind::kComma));
  Expect(TokenKind::kClose);
  std::sort(texts.begin() + static_cast<ptrdiff_t>(begin), texts.end());
  const auto list = static_cast<uint16_t>(filter_.lists_.size());
  filter_.lists_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(texts.size())});
  return Write(Op::kIn, property.at, property.operand, {}, negated, list);
}

Parser::Part Parser::WithPart(const Part& value, Op op, bool negated) {
  const size_t at = token_.at;
  const Part text = Literal(at, Value::Text(StringText()));
  return Write(op, value.at, value.operand, text.operand, negated);
}

Parser::Part Parser::Signed() {
  const Token sign = token_;
  if (sign.kind != TokenKind::kPlus && sign.kind != TokenKind::kMinus && sign.kind != TokenKind::kNot) return Primary();
  Enter();
  Advance();
  Part part = Signed();
  if (sign.kind == TokenKind::kMinus) {
    part = Negative(part);
  } else if (sign.kind == TokenKind::kNot) {
    MakeCondition(part);
    part = Write(Op::kNot, sign.at, kTop);
  }
  --depth_;
  return part;
}

Parser::Part Parser::Negative(Part part) {
  if (part.kind == Part::Kind::kCondition) Fail(part.at, "a minus sign stands before numbers only");
  if (!status_.ok()) return {};
  if (part.kind == Part::Kind::kProperty) part = Literal(part.at, Value());
  Value& value = filter_.literals_[part.operand.index];
  if (!value.is_number()) value = Value();  // a text has no negative, and is null then
  value.integer = -value.integer;
  value.real = -value.real;
  part.kind = Part::Kind::kNegative;
  return part;
}

Parser::Part Parser::Primary() {
  const size_t at = token_.at;
  switch (token_.kind) {
    case TokenKind::kOpen: {
      Enter();
      Advance();
      const Part inner = Or();
      Expect(TokenKind::kClose);
      --depth_;
      return inner;
    }
    case TokenKind::kName:
      return Property();
    case TokenKind::kString:
      return Literal(at, Value::Text(StringText()));
    case TokenKind::kInteger:
    case TokenKind::kReal:
      return Literal(at, Number());
    case TokenKind::kTrue:
    case TokenKind::kFalse: {
      const bool value = token_.kind == TokenKind::kTrue;
      Advance();
      return Literal(at, Value::Boolean(value));
    }
    case TokenKind::kNull:
      Advance();
      return Literal(at, Value());
    default:
      Unexpected("a property or a value");
      return {};
  }
}

Parser::Part Parser::Literal(size_t at, const Value& value) {
  const size_t index = filter_.literals_.size();
  if (index > UINT16_MAX) Fail(at, "there are too many values");
  if (!status_.ok()) return {};
  filter_.literals_.push_back(value);
  Part part;
  part.operand = {Operand::Kind::kLiteral, static_cast<uint16_t>(index)};
  part.at = at;
  return part;
}

Parser::Part Parser::Property() {
  Part part;
  part.kind = Part::Kind::kProperty;
  part.at = token_.at;
  const auto [known, is_new] = properties_.try_emplace(token_.text, static_cast<uint16_t>(filter_.names_.size()));
  if (is_new) {
    if (filter_.names_.size() == kPropertiesMax) {
      Fail(token_.at, core::StrCat("there are more than ", kPropertiesMax, " different properties"));
      return {};
    }
    filter_.names_.push_back(Keep(token_.text));
  }
  part.operand = {Operand::Kind::kProperty, known->second};
  Advance();
  return part;
}

Value Parser::Number() {
  const Token token = token_;
  Advance();
  if (token.kind == TokenKind::kReal) {
    const double real = ReadReal(token.text).value_or(0);
    if (std::isinf(real)) Fail(token.at, "this number is too large");
    // So does RocketMQ, which looks for what is less than the smallest double, and finds 0.
    if (real == 0) Fail(token.at, "0.0 is not taken: the least number with a point is 4.9E-324");
    return Value::Real(real);
  }
  std::string_view digits = token.text;
  if (digits.back() == 'l' || digits.back() == 'L') digits.remove_suffix(1);
  if (digits.size() > 1 && digits[0] == '0') Fail(token.at, "a number does not begin with 0");
  const std::optional<int64_t> number = ReadInteger(digits);
  if (!number.has_value()) Fail(token.at, core::StrCat("this number is too large: whole ones end at ", INT64_MAX));
  return Value::Integer(number.value_or(0));
}

std::string_view Parser::StringText() {
  if (token_.kind != TokenKind::kString) {
    Unexpected("a string in single quotes");
    return {};
  }
  std::string_view quoted = token_.text.substr(1, token_.text.size() - 2);
  char* const begin = filter_.text_.get() + filter_.text_bytes_;
  char* end = begin;
  while (!quoted.empty()) {  // a doubled quote stands for one
    const size_t bytes = std::min(quoted.find('\''), quoted.size() - 1) + 1;
    end = std::copy_n(quoted.data(), bytes, end);
    quoted.remove_prefix(std::min(quoted[bytes - 1] == '\'' ? bytes + 1 : bytes, quoted.size()));
  }
  filter_.text_bytes_ += static_cast<size_t>(end - begin);
  Advance();
  return {begin, end};
}

std::string_view Parser::Keep(std::string_view text) {
  char* const begin = filter_.text_.get() + filter_.text_bytes_;
  std::copy(text.begin(), text.end(), begin);
  filter_.text_bytes_ += text.size();
  return {begin, text.size()};
}

Parser::Part Parser::Write(Op op, size_t at, Operand left, Operand right, bool negated, uint16_t argument) {
  if (!status_.ok()) return {};
  if (filter_.steps_.size() == kStepsMax) Fail(at, "there are too many comparisons");
  stack_ -=
      static_cast<size_t>(left.kind == Operand::Kind::kTop) + static_cast<size_t>(right.kind == Operand::Kind::kTop);
  if (++stack_ > Filter::kStackMax) Fail(at, "this is too deep in brackets");
  filter_.steps_.push_back({op, negated, argument, left, right});
  Part part;
  part.kind = Part::Kind::kCondition;
  part.operand = kTop;
  part.at = at;
  return part;
}

size_t Parser::Skip(Op op) {
  if (!status_.ok()) return 0;
  if (filter_.steps_.size() == kStepsMax) Fail(token_.at, "there are too many comparisons");
  filter_.steps_.push_back({op, false, 0, {}, {}});
  return filter_.steps_.size() - 1;
}

void Parser::Arrive(size_t skip) {
  if (status_.ok()) filter_.steps_[skip].argument = static_cast<uint16_t>(filter_.steps_.size());
}

void Parser::MakeCondition(const Part& part) {
  if (part.kind == Part::Kind::kCondition) return;
  const Value* const literal = LiteralOf(part);
  const bool truth = literal != nullptr && (literal->is_null() || literal->type == Value::Type::kBoolean);
  if (!truth && part.kind != Part::Kind::kProperty) Fail(part.at, "a condition is expected here, and not a value");
  Write(Op::kTruth, part.at, part.operand);
}

const Value* Parser::LiteralOf(const Part& part) const {
  if (part.kind != Part::Kind::kLiteral || !status_.ok()) return nullptr;
  return &filter_.literals_[part.operand.index];
}

void Parser::MustHaveOrder(const Part& part) {
  const Value* const literal = LiteralOf(part);
  if (part.kind == Part::Kind::kCondition || (literal != nullptr && !literal->is_number())) {
    Fail(part.at, "only numbers and properties can be less or greater");
  }
}

void Parser::MustBeComparable(const Part& left, const Part& right) {
  const Value* const first = LiteralOf(left);
  const Value* const second = LiteralOf(right);
  if (first != nullptr && first->is_null()) Fail(left.at, "NULL equals nothing: write IS NULL or IS NOT NULL");
  if (second != nullptr && second->is_null()) Fail(right.at, "NULL equals nothing: write IS NULL or IS NOT NULL");
  if (first != nullptr && second != nullptr && first->type == Value::Type::kBoolean && second->type != first->type) {
    Fail(right.at, "TRUE and FALSE can't be compared with this");
  }
}

void Parser::Advance() {
  if (status_.ok()) token_ = NextToken(expression_, token_.at + token_.text.size());
}

bool Parser::Accept(TokenKind kind) {
  if (token_.kind != kind) return false;
  Advance();
  return true;
}

void Parser::Enter() {
  if (++depth_ > kDepthMax)
    Fail(token_.at, core::StrCat("more than ", kDepthMax, " brackets or signs are within each other"));
}

void Parser::Expect(TokenKind kind) {
  if (!Accept(kind)) Unexpected(WordOf(kind));
}

void Parser::Unexpected(std::string_view expected) {
  if (token_.kind == TokenKind::kWrong && token_.text[0] == '\'') {
    Fail(token_.at, "the string that begins here does not end");
  } else if (token_.kind == TokenKind::kWrong && token_.text[0] == '"') {
    Fail(token_.at, "strings stand in single quotes, and names in none");
  } else if (token_.kind == TokenKind::kEnd) {
    Fail(token_.at, core::StrCat("it ends where ", expected, " is expected"));
  } else {
    Fail(token_.at, core::StrCat(expected, " is expected, and not ", Shown(token_.text)));
  }
}

void Parser::Fail(size_t at, std::string_view why) {
  if (!status_.ok()) return;
  const std::string_view before = expression_.substr(0, at);
  const auto character =
      1 + before.size() - static_cast<size_t>(std::count_if(before.begin(), before.end(), ContinuesCharacter));
  status_ = absl::InvalidArgumentError(core::StrCat("SQL92 expression, character ", character, ": ", why));
  token_ = Token();
}

}  // namespace broker::sql
