#include "broker/sql/filter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "broker/sql/parser.h"
#include "store/properties.h"

namespace broker::sql {
namespace {

bool Contains(std::string_view text, std::string_view part) {
  // Not string_view::find, which may take the product of both sizes.
  return memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

}  // namespace

/// One message under the expression.
class Filter::Evaluation {
 public:
  Evaluation(const Filter& filter, std::string_view properties) : filter_(filter) {
    const std::vector<std::string_view>& names = filter.names_;
    if (names.empty()) return;
    store::ForEachProperty(properties, [&](std::string_view name, std::string_view value) {
      for (size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) {
          properties_[i] = value;  // of a name given twice the last counts
          break;
        }
      }
    });
  }

  /// False for false and null, and when a text is no number where one is needed.
  bool IsTrue() {
    const std::vector<Step>& steps = filter_.steps_;
    for (size_t at = 0; at < steps.size();) {
      const Step& step = steps[at++];
      switch (step.op) {
        case Op::kSkipIfFalse:
          if (Top() == Truth::kFalse) at = step.argument;
          break;
        case Op::kSkipIfTrue:
          if (Top() == Truth::kTrue) at = step.argument;
          break;
        case Op::kNot:
          Top() = Not(Top());
          break;
        case Op::kAnd: {
          const Truth right = Pop();
          Top() = And(Top(), right);
          break;
        }
        case Op::kOr: {
          const Truth right = Pop();
          Top() = Not(And(Not(Top()), Not(right)));
          break;
        }
        default: {
          const std::optional<Truth> truth = Judge(step);
          if (!truth.has_value()) return false;
          stack_[depth_++] = step.negated ? Not(*truth) : *truth;
          break;
        }
      }
    }
    return Pop() == Truth::kTrue;
  }

 private:
  static Truth Not(Truth truth) {
    if (truth == Truth::kNull) return truth;
    return truth == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
  }
  static Truth And(Truth left, Truth right) {
    if (left == Truth::kFalse || right == Truth::kFalse) return Truth::kFalse;
    return left == Truth::kNull || right == Truth::kNull ? Truth::kNull : Truth::kTrue;
  }
  static Truth Of(bool value) { return value ? Truth::kTrue : Truth::kFalse; }

  Truth& Top() { return stack_[depth_ - 1]; }
  Truth Pop() { return stack_[--depth_]; }

  Value Get(Operand operand) {
    switch (operand.kind) {
      case Operand::Kind::kLiteral:
        return filter_.literals_[operand.index];
      case Operand::Kind::kProperty: {
        const std::string_view text = properties_[operand.index];
        return text.empty() ? Value() : Value::Text(text);  // no property is empty
      }
      case Operand::Kind::kNone:
      case Operand::Kind::kTop:
        break;
    }
    const Truth truth = Pop();
    return truth == Truth::kNull ? Value() : Value::Boolean(truth == Truth::kTrue);
  }

  /// What a comparison or operand says; nullopt: it can't be answered, and so the message does not pass.
  std::optional<Truth> Judge(const Step& step) {
    switch (step.op) {
      case Op::kTruth: {
        const Value value = Get(step.left);
        return value.is_null() ? Truth::kNull : Of(value.type == Value::Type::kBoolean && value.boolean);
      }
      case Op::kIsNull:
        return Of(Get(step.left).is_null());
      case Op::kEqual:
        return Equal(step);
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        return InOrder(step);
      case Op::kIn: {
        const Value value = Get(step.left);
        if (value.is_null()) return Truth::kNull;
        const List list = filter_.lists_[step.argument];
        const auto texts = filter_.list_texts_.begin();
        return Of(std::binary_search(texts + list.begin, texts + list.end, value.text));
      }
      default:
        return Of(HasPart(step));
    }
  }

  std::optional<Truth> Equal(const Step& step) {
    const Value right = Get(step.right);  // the later one, should both be on the stack
    const Value left = Get(step.left);
    if (left.is_null()) return right.is_null() ? Truth::kTrue : Truth::kNull;
    if (right.is_null()) return Truth::kFalse;
    const std::optional<int> order = Compare(left, right);
    if (!order.has_value()) return std::nullopt;
    return Of(*order == 0);
  }

  std::optional<Truth> InOrder(const Step& step) {
    const Value left = Get(step.left);
    const Value right = Get(step.right);
    if (left.is_null() || right.is_null()) return Truth::kNull;
    const std::optional<int> order = CompareOrder(left, right);
    if (!order.has_value()) return std::nullopt;
    switch (step.op) {
      case Op::kLess:
        return Of(*order < 0);
      case Op::kLessEqual:
        return Of(*order <= 0);
      case Op::kGreater:
        return Of(*order > 0);
      default:
        return Of(*order >= 0);
    }
  }

  /// CONTAINS, STARTSWITH and ENDSWITH. With NOT and without they are false where there is no text, and for an empty part.
  bool HasPart(const Step& step) {
    const Value value = Get(step.left);
    const std::string_view part = Get(step.right).text;
    if (!value.is_string() || part.empty()) return step.negated;
    switch (step.op) {
      case Op::kContains:
        return Contains(value.text, part);
      case Op::kStartsWith:
        return value.text.starts_with(part);
      default:
        return value.text.ends_with(part);
    }
  }

  const Filter& filter_;
  size_t depth_ = 0;
  std::array<Truth, kStackMax> stack_;
  std::array<std::string_view, kPropertiesMax> properties_;
};

absl::StatusOr<std::shared_ptr<const Filter>> Filter::Compile(std::string_view expression) {
  std::shared_ptr<Filter> filter(new Filter);
  absl::Status status = Parser(expression, *filter).Parse();
  if (!status.ok()) return status;
  return filter;
}

bool Filter::Matches(std::string_view properties) const { return Evaluation(*this, properties).IsTrue(); }

size_t Filter::bytes() const {
  return sizeof(Filter) + text_bytes_ + names_.size() * sizeof(names_[0]) + literals_.size() * sizeof(Value) +
         list_texts_.size() * sizeof(list_texts_[0]) + lists_.size() * sizeof(List) + steps_.size() * sizeof(Step);
}

size_t Filter::Work(size_t properties_bytes) const { return properties_bytes * (1 + names_.size() + steps_.size()); }

}  // namespace broker::sql
