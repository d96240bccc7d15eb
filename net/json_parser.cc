#include "net/json_parser.h"

#include <algorithm>

#include "core/strings.h"
#include "net/json_references.h"
#include "net/json_text.h"

namespace net {

namespace {

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\0'; }
bool EndsWord(char c) {
  return IsBlank(c) || c == ',' || c == ':' || c == '}' || c == ']' || c == '{' || c == '[' || c == '"' || c == '\'';
}
bool LooksLikeNumber(std::string_view word) {
  const char first = word.front();
  if (first != '-' && first != '+' && first != '.' && (first < '0' || first > '9')) return false;
  bool digit = false;
  for (const char c : word) {
    const bool is_digit = c >= '0' && c <= '9';
    digit = digit || is_digit;
    if (!is_digit && c != '-' && c != '+' && c != '.' && (c | 0x20) != 'e') return false;
  }
  return digit;
}

}  // namespace

absl::Status JsonParser::Parse() {
  if (ParseValue(document_.root_, 0)) {
    SkipBlanks();
    if (at_ == end_) {
      if (has_references_) ResolveReferences(document_.root_);
      return absl::OkStatus();
    }
    error_ = "text after the value";
  }
  return absl::InvalidArgumentError(core::StrCat("JSON: ", error_, " at byte ", at_ - begin_));
}

bool JsonParser::ParseValue(JsonValue& value, int depth) {
  if (depth > JsonDocument::kDepthMax) return Fail("too deep");
  if (!CountValue()) return false;
  SkipBlanks();
  if (at_ == end_) return Fail("end of text where a value belongs");
  switch (*at_) {
    case '{':
      return ParseObject(value, depth);
    case '[':
      return ParseArray(value, depth);
    case '"':
    case '\'':
      return ParseString(value);
    default:
      return ParseWord(value);
  }
}

bool JsonParser::ParseObject(JsonValue& value, int depth) {
  const size_t from = members_.size();
  ++at_;
  while (true) {
    if (!SkipCommas()) return Fail("object without end");
    if (*at_ == '}') break;
    JsonMember member;
    if (!ParseKey(member.key, depth)) return false;
    SkipBlanks();
    if (at_ == end_ || *at_ != ':') return Fail("a colon belongs here");
    ++at_;
    if (!ParseValue(member.value, depth + 1)) return false;
    has_references_ = has_references_ || member.name() == "$ref";
    members_.push_back(member);
    SkipBlanks();
    if (at_ != end_ && *at_ != ',' && *at_ != '}') return Fail("a comma belongs here");
  }
  ++at_;
  value = KeepObject(from);
  return true;
}

bool JsonParser::ParseArray(JsonValue& value, int depth) {
  const size_t from = values_.size();
  ++at_;
  while (true) {
    if (!SkipCommas()) return Fail("array without end");
    if (*at_ == ']') break;
    JsonValue element;
    if (!ParseValue(element, depth + 1)) return false;
    values_.push_back(element);
    SkipBlanks();
    if (at_ != end_ && *at_ != ',' && *at_ != ']') return Fail("a comma belongs here");
  }
  ++at_;
  value = KeepArray(from);
  return true;
}

bool JsonParser::ParseKey(JsonValue& key, int depth) {
  // A key may be anything but an array or null; words without quotes are text.
  if (!ParseValue(key, depth + 1)) return false;
  if (key.kind() == JsonValue::Kind::kArray) return Fail("an array as a name");
  if (key.kind() == JsonValue::Kind::kNull) key.kind_ = JsonValue::Kind::kString;
  return true;
}

bool JsonParser::ParseString(JsonValue& value) {
  const char quote = *at_++;
  char* const begin = at_;
  char* end = nullptr;
  if (!UnescapeString(at_, end_, quote, &end)) return Fail("string without end or with a bad escape");
  value.kind_ = JsonValue::Kind::kString;
  value.data_ = begin;
  value.size_ = static_cast<uint32_t>(end - begin);
  return true;
}

bool JsonParser::ParseWord(JsonValue& value) {
  char* const begin = at_;
  while (at_ < end_ && !EndsWord(*at_)) ++at_;
  const std::string_view word(begin, static_cast<size_t>(at_ - begin));
  if (word.empty()) return Fail("no value");
  value.data_ = begin;
  value.size_ = static_cast<uint32_t>(word.size());
  SkipBlanks();
  const bool is_key = at_ < end_ && *at_ == ':';
  if (word == "null") {
    value.kind_ = JsonValue::Kind::kNull;
  } else if (word == "true" || word == "false") {
    value.kind_ = JsonValue::Kind::kBool;
  } else if (LooksLikeNumber(word)) {
    value.kind_ = JsonValue::Kind::kNumber;
  } else if (is_key) {
    value.kind_ = JsonValue::Kind::kString;
  } else {
    at_ = begin;
    return Fail("a word that is no value");
  }
  return true;
}

void JsonParser::SkipBlanks() {
  while (at_ < end_ && IsBlank(*at_)) ++at_;
}

// False at the end of the text.
bool JsonParser::SkipCommas() {
  while (at_ < end_ && (IsBlank(*at_) || *at_ == ',')) ++at_;
  return at_ < end_;
}

bool JsonParser::CountValue() {
  if (++count_ > JsonDocument::kValuesMax) return Fail("too many values");
  return true;
}

bool JsonParser::Fail(std::string_view what) {
  if (error_.empty()) error_ = what;
  return false;
}

JsonValue JsonParser::KeepArray(size_t from) {
  const size_t count = values_.size() - from;
  JsonValue value;
  value.kind_ = JsonValue::Kind::kArray;
  if (count > 0) {
    document_.arrays_.push_back(std::make_unique<JsonValue[]>(count));
    std::copy(values_.begin() + static_cast<ptrdiff_t>(from), values_.end(), document_.arrays_.back().get());
    value.data_ = document_.arrays_.back().get();
    value.size_ = static_cast<uint32_t>(count);
    values_.resize(from);
  }
  return value;
}

JsonValue JsonParser::KeepObject(size_t from) {
  const size_t count = members_.size() - from;
  JsonValue value;
  value.kind_ = JsonValue::Kind::kObject;
  if (count > 0) {
    document_.objects_.push_back(std::make_unique<JsonMember[]>(count));
    std::copy(members_.begin() + static_cast<ptrdiff_t>(from), members_.end(), document_.objects_.back().get());
    value.data_ = document_.objects_.back().get();
    value.size_ = static_cast<uint32_t>(count);
    members_.resize(from);
  }
  return value;
}

}  // namespace net
