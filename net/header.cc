#include "net/header.h"

#include "core/decimal.h"
#include "core/strings.h"

namespace net {

std::string HeaderError::Text() const {
  if (missing) return core::StrCat("the custom field <", field, "> is null");
  return core::StrCat("the custom field <", field, "> is not a number of its range: ", value.substr(0, 64));
}

void HeaderFields::Add(std::string_view name, std::string_view value) {
  // Member by member: a temporary that is stored in pieces and loaded as a whole waits for its stores.
  Entry& entry = entries_.emplace_back();
  entry.name = name;
  entry.value_offset = static_cast<uint32_t>(values_.size());
  entry.value_size = static_cast<uint32_t>(value.size());
  values_.Append(value);
}

void HeaderFields::Add(std::string_view name, int64_t value) {
  const core::Decimal digits(value);
  Add(name, digits.text());
}

namespace internal {

bool ParseInteger(std::string_view text, int64_t& value) {
  constexpr size_t kDigitsMax = 18;  // which cannot overflow
  if (!text.empty() && text.size() <= kDigitsMax) [[likely]] {
    uint64_t sum = 0;  // may go round where it is no number
    bool digits = true;
    for (const char c : text) {
      const auto digit = static_cast<uint8_t>(c - '0');
      digits &= digit <= 9;
      sum = sum * 10 + digit;
    }
    if (digits) {
      value = static_cast<int64_t>(sum);
      return true;
    }
  }
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (text.empty() || text.front() == '-') return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool IsTrue(std::string_view text) {
  return text.size() == 4 && (text[0] | 0x20) == 't' && (text[1] | 0x20) == 'r' && (text[2] | 0x20) == 'u' &&
         (text[3] | 0x20) == 'e';
}

}  // namespace internal
}  // namespace net
