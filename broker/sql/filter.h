#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/sql/value.h"
#include "store/message.h"

namespace broker::sql {

// What one expression may have at most. All far above what people write; beyond, it is refused.
inline constexpr size_t kExpressionBytesMax = size_t{64} << 10;
inline constexpr size_t kStepsMax = 4096;      // a comparison is one, each AND and OR two
inline constexpr size_t kPropertiesMax = 128;  // different ones
inline constexpr size_t kDepthMax = 128;       // brackets, signs and NOTs within each other

/// A compiled SQL92 expression. Immutable: any shard may use and release it. Evaluation allocates nothing, and looks at a message's properties once however
/// often the expression names them.
class Filter final : public store::PropertyFilter {
 public:
  /// kInvalidArgument: it is no legal expression, or larger than the maxima above; the message says where and what to write.
  static absl::StatusOr<std::shared_ptr<const Filter>> Compile(std::string_view expression);

  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  /// Whether the expression is true, and not false or null, of a message with these `properties`, written as they are stored. Source: RocketMQ 5.3.3
  /// ExpressionMessageFilter.isMatchedByCommitLog.
  bool Matches(std::string_view properties) const override;
  size_t Work(size_t properties_bytes) const override;
  /// Memory that it takes, about.
  size_t bytes() const;

 private:
  friend class Parser;

  // Steps work on a stack of truths. A comparison has its operands in itself, unless they are conditions (kTop): these it takes from the stack.
  enum class Op : uint8_t {
    kTruth,   // left: a literal or a property as a condition
    kEqual,   // left, right
    kIsNull,  // left
    kLess,    // left, right; these four have no kTop
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kIn,        // left, and the list `argument`
    kContains,  // left, right
    kStartsWith,
    kEndsWith,
    kNot,  // left, on the stack
    kAnd,  // left, right, on the stack
    kOr,
    kSkipIfFalse,  // to step `argument`; what is on the stack stays
    kSkipIfTrue,
  };
  struct Operand {
    enum class Kind : uint8_t { kNone, kTop, kLiteral, kProperty };
    Kind kind = Kind::kNone;
    uint16_t index = 0;
  };
  struct Step {
    Op op;
    bool negated = false;  // NOT IN, <>, ...
    uint16_t argument = 0;
    Operand left;
    Operand right;
  };
  struct List {  // of `list_texts_`, sorted
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  enum class Truth : uint8_t { kFalse, kTrue, kNull };
  static_assert(kStepsMax <= UINT16_MAX && kExpressionBytesMax <= size_t{UINT16_MAX} + 1, "indexes have 16 bits");

  /// Each bracket leaves at most an OR, an AND and a comparison waiting.
  static constexpr size_t kStackMax = 3 * (kDepthMax + 1) + 1;

  class Evaluation;

  Filter() = default;

  std::unique_ptr<char[]> text_;  // what the views below point into
  size_t text_bytes_ = 0;
  std::vector<std::string_view> names_;
  std::vector<Value> literals_;
  std::vector<std::string_view> list_texts_;
  std::vector<List> lists_;
  std::vector<Step> steps_;
};

}  // namespace broker::sql
