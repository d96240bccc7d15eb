#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "broker/sql/filter.h"
#include "broker/sql/token.h"
#include "broker/string_map.h"

namespace broker::sql {

/// Makes one filter of one expression. One method a level of the grammar, from OR, which binds least, down to literals and brackets; at most kDepthMax of them
/// are within each other. Grammar and what is refused: RocketMQ 5.3.3 SelectorParser.jj and its package `expression`; README.md says where we differ.
class Parser {
 public:
  /// Fills `filter`, which is new.
  Parser(std::string_view expression, Filter& filter) : expression_(expression), filter_(filter) {}

  /// Errors: see Filter::Compile. `filter` is good for nothing then.
  absl::Status Parse();

 private:
  using Op = Filter::Op;
  using Operand = Filter::Operand;
  static constexpr Operand kTop{Operand::Kind::kTop, 0};

  /// A part of the expression. A condition's steps have been written, and leave a truth on the stack.
  struct Part {
    enum class Kind {
      kLiteral,
      kProperty,
      kCondition,
      kNegative,  // what had a minus before it: RocketMQ no longer looks at what it is
    };
    Kind kind = Kind::kLiteral;
    Operand operand;
    size_t at = 0;
  };

  Part Or();
  Part And();
  Part Equality();
  Part Comparison();
  Part Signed();
  Part Primary();
  Part Negative(Part part);

  Part Ordered(const Part& left, Op op);
  Part Between(const Part& value, bool negated);
  Part In(const Part& property, bool negated);
  Part WithPart(const Part& value, Op op, bool negated);  // CONTAINS and the like

  Part Literal(size_t at, const Value& value);
  Part Property();
  Value Number();
  std::string_view StringText();
  std::string_view Keep(std::string_view text);

  Part Write(Op op, size_t at, Operand left = {}, Operand right = {}, bool negated = false, uint16_t argument = 0);
  /// A step that leaves out those up to the next Arrive(), for when they can't change what is on the stack.
  size_t Skip(Op op);
  void Arrive(size_t skip);
  /// Writes the steps that make a condition of it, unless it is one.
  void MakeCondition(const Part& part);

  /// The value of a literal; null of other parts.
  const Value* LiteralOf(const Part& part) const;
  void MustHaveOrder(const Part& part);
  void MustBeComparable(const Part& left, const Part& right);

  void Advance();
  bool Accept(TokenKind kind);
  /// One level deeper; it is left by --depth_.
  void Enter();
  void Expect(TokenKind kind);
  void Unexpected(std::string_view expected);
  /// Only the first failure counts. From then on every token is the end, which ends all loops.
  void Fail(size_t at, std::string_view why);

  const std::string_view expression_;
  Filter& filter_;
  Token token_;
  size_t depth_ = 0;  // of what is being read
  size_t stack_ = 0;  // truths on the stack behind the steps so far
  StringMap<uint16_t> properties_;
  absl::Status status_;
};

}  // namespace broker::sql
