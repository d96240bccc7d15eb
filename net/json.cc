#include "net/json.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "net/header.h"
#include "net/json_parser.h"

namespace net {

namespace {

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<JsonDocument> JsonDocument::Parse(std::string_view text) {
  if (text.size() > UINT32_MAX) return absl::InvalidArgumentError("JSON: text too long");
  JsonDocument document;
  document.text_ = std::make_unique_for_overwrite<char[]>(text.size() + 1);
  if (!text.empty()) std::memcpy(document.text_.get(), text.data(), text.size());
  JsonParser parser(document.text_.get(), document.text_.get() + text.size(), document);
  const absl::Status status = parser.Parse();
  if (!status.ok()) return status;
  return document;
}

std::span<const JsonValue> JsonValue::items() const {
  if (kind_ != Kind::kArray) return {};
  return {static_cast<const JsonValue*>(data_), size_};
}

std::span<const JsonMember> JsonValue::members() const {
  if (kind_ != Kind::kObject) return {};
  return {static_cast<const JsonMember*>(data_), size_};
}

JsonValue JsonValue::operator[](std::string_view name) const {
  const std::span<const JsonMember> all = members();
  for (size_t i = all.size(); i-- > 0;) {
    if (all[i].name() == name) return all[i].value;
  }
  return {};
}

std::string_view JsonValue::text() const {
  switch (kind_) {
    case Kind::kBool:
    case Kind::kNumber:
    case Kind::kString:
      return {static_cast<const char*>(data_), size_};
    default:
      return {};
  }
}

std::optional<int64_t> JsonValue::AsInt() const {
  if (kind_ != Kind::kNumber && kind_ != Kind::kString) return std::nullopt;
  int64_t value = 0;
  if (internal::ParseInteger(text(), value)) return value;
  const double number = DoubleOr(std::nan(""));
  // 2^63 is a double and one too many; NaN compares false.
  if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0)) return std::nullopt;
  return static_cast<int64_t>(number);
}

int32_t JsonValue::Int32Or(int32_t fallback) const {
  const std::optional<int64_t> value = AsInt();
  if (!value.has_value() || *value < INT32_MIN || *value > INT32_MAX) return fallback;
  return static_cast<int32_t>(*value);
}

std::optional<bool> JsonValue::AsBool() const {
  if (EqualIgnoringCase(text(), "true") || text() == "1") return true;
  if (EqualIgnoringCase(text(), "false") || text() == "0") return false;
  return std::nullopt;
}

double JsonValue::DoubleOr(double fallback) const {
  std::string_view number = text();
  if (kind_ == Kind::kBool || number.empty()) return fallback;
  if (number.front() == '+') number.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return fallback;
  return value;
}

std::optional<size_t> JsonValue::AsEnum(std::span<const std::string_view> names) const {
  for (size_t i = 0; i < names.size(); ++i) {
    if (kind_ == Kind::kString && EqualIgnoringCase(text(), names[i])) return i;
  }
  const std::optional<int64_t> ordinal = AsInt();
  if (!ordinal.has_value() || *ordinal < 0 || static_cast<size_t>(*ordinal) >= names.size()) return std::nullopt;
  return static_cast<size_t>(*ordinal);
}

}  // namespace net
