#include <charconv>
#include <cmath>

#include "net/json.h"
#include "net/json_text.h"

namespace net {

namespace {

void AppendQuoted(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    const char* const special = FindToEscape(at, end);
    out.append(at, static_cast<size_t>(special - at));
    if (special == end) break;
    at = special + 1;
    const auto c = static_cast<unsigned char>(*special);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
    }
  }
  out.push_back('"');
}

}  // namespace

void JsonWriter::BeforeValue() {
  if (comma_) text_.push_back(',');
  comma_ = true;
}

JsonWriter& JsonWriter::BeginObject() {
  BeforeValue();
  text_.push_back('{');
  comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::EndObject() {
  text_.push_back('}');
  comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::BeginArray() {
  BeforeValue();
  text_.push_back('[');
  comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::EndArray() {
  text_.push_back(']');
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view name) {
  BeforeValue();
  AppendQuoted(text_, name);
  text_.push_back(':');
  comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::NumberKey(int64_t number, bool quoted) {
  BeforeValue();
  if (quoted) text_.push_back('"');
  text_ += std::to_string(number);
  if (quoted) text_.push_back('"');
  text_.push_back(':');
  comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::BeginKeyObject() { return BeginObject(); }
JsonWriter& JsonWriter::EndKeyObject() {
  text_ += "}:";
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  BeforeValue();
  AppendQuoted(text_, value);
  return *this;
}
JsonWriter& JsonWriter::Int(int64_t value) {
  BeforeValue();
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  text_.append(digits, static_cast<size_t>(end - digits));
  return *this;
}
JsonWriter& JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  BeforeValue();
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const std::string_view text(digits, static_cast<size_t>(end - digits));
  text_ += text;
  if (text.find_first_of(".e") == std::string_view::npos) text_ += ".0";
  return *this;
}
JsonWriter& JsonWriter::Bool(bool value) {
  BeforeValue();
  text_ += value ? "true" : "false";
  return *this;
}
JsonWriter& JsonWriter::Null() {
  BeforeValue();
  text_ += "null";
  return *this;
}
JsonWriter& JsonWriter::Raw(std::string_view json) {
  BeforeValue();
  text_ += json;
  return *this;
}

}  // namespace net
