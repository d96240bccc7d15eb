#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/frame.h"

namespace net {

/// The head of an answer of which all but a few values is known beforehand, in both encodings, without remark and body: the bytes that EncodeFrameHead
/// would write, for a fraction of the time. Immutable.
class AnswerTemplate {
 public:
  using Constant = std::pair<std::string_view, std::string_view>;
  struct Value {
    std::string_view text;
    bool plain = false;  // nothing in it is escaped in JSON: digits, for instance
  };
  /// The fields in their order: `constants`, name and value, then one for each of `names`, at least one, whose values come with each answer. Names are as in HeaderFields.
  AnswerTemplate(int32_t code, std::initializer_list<Constant> constants, std::initializer_list<std::string_view> names);

  /// Bytes that Write may need at most for these values, one for each name.
  size_t Bound(std::span<const Value> values) const;
  /// Writes the frame; returns its end.
  char* Write(char* out, SerializeType type, int32_t opaque, std::span<const Value> values) const;

 private:
  // Each value's name, and what stands between it and the value before; in front of the first also all that comes before.
  std::vector<std::string> json_;
  std::string json_opaque_;  // behind the last value
  std::string json_end_;     // behind the opaque
  std::string binary_begin_;
  std::string binary_flag_;  // between the opaque and the fields' length
  std::vector<std::string> binary_;
  size_t fixed_bytes_max_ = 0;
};

}  // namespace net
