#include <cstdint>

#include "core/strings.h"
#include "net/frame_header.h"
#include "net/header.h"
#include "net/json_text.h"

// The JSON header encoding, read in one pass where it lies. Source: RocketMQ 5.3.3 RemotingSerializable (fastjson).

namespace net {

namespace {

constexpr int kDepthMax = 32;

class HeaderParser {
 public:
  HeaderParser(char* begin, size_t size, Frame& frame) : begin_(begin), at_(begin), end_(begin + size), frame_(frame) {}

  absl::Status Parse() {
    if (ParseMembers()) {
      SkipBlanks();
      if (at_ == end_) return absl::OkStatus();
      error_ = "text after the object";
    }
    return absl::InvalidArgumentError(core::StrCat("JSON header: ", error_, " at byte ", at_ - begin_));
  }

 private:
  // A value of the header that is no container. `text` is empty for null.
  struct Scalar {
    std::string_view text;
    bool null = false;
    bool container = false;  // it was an object or an array, and `text` is its source
  };

  bool Fail(const char* what) {
    if (error_ == nullptr) error_ = what;
    return false;
  }
  void SkipBlanks() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  // Blanks are rare: what is looked for first is the character itself.
  [[gnu::always_inline]] bool Take(char c) {
    if (at_ < end_ && *at_ == c) [[likely]] {
      ++at_;
      return true;
    }
    return TakeBehindBlanks(c);
  }
  [[gnu::noinline]] bool TakeBehindBlanks(char c) {
    SkipBlanks();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  // The text of the string that begins here; its data() is null when there is none. By value, and so in registers: a text that is stored in two halves and loaded
  // as one has to wait for the stores.
  [[gnu::always_inline]] std::string_view ParseString() {
    if (!Take('"')) {
      Fail("a string belongs here");
      return {};
    }
    char* const begin = at_;
    char* const end = FindQuoteOrBackslash(begin, end_, '"');
    if (end == end_ || *end != '"') [[unlikely]] return Unescape(begin, end);
    at_ = end + 1;
    return {begin, static_cast<size_t>(end - begin)};
  }
  [[gnu::noinline]] std::string_view Unescape(char* begin, char* first) {
    char* end = nullptr;
    at_ = first;
    if (!internal::UnescapeFrom(at_, end_, '"', &end)) {
      Fail("string without end or with a bad escape");
      return {};
    }
    return {begin, static_cast<size_t>(end - begin)};
  }

  bool ParseScalar(Scalar& value) {
    SkipBlanks();
    if (at_ == end_) return Fail("end of text where a value belongs");
    if (*at_ == '"') {
      value.text = ParseString();
      return value.text.data() != nullptr;
    }
    char* const begin = at_;
    if (*at_ == '{' || *at_ == '[') {
      if (!SkipContainer()) return false;
      value.container = true;
    } else {
      while (at_ < end_ && IsWordCharacter(*at_)) ++at_;
      if (at_ == begin) return Fail("no value");
    }
    value.text = {begin, static_cast<size_t>(at_ - begin)};
    if (value.container) return true;
    const char first = value.text.front();
    const bool number = first == '-' || (first >= '0' && first <= '9');
    if (!number && value.text != "true" && value.text != "false" && value.text != "null") {
      at_ = begin;
      return Fail("a word that is no value");
    }
    if (value.text == "null") value = {.text = {}, .null = true, .container = false};
    return true;
  }

  static bool IsWordCharacter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.';
  }

  // What we do not know: brackets must match, strings must end; nothing more is asked of it.
  bool SkipContainer() {
    char open[kDepthMax];
    int depth = 0;
    while (at_ < end_) {
      const char c = *at_;
      if (c == '"') {
        if (!SkipString()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') {
        if (depth == kDepthMax) return Fail("too deep");
        open[depth++] = c;
      } else if (c == '}' || c == ']') {
        if (open[--depth] != (c == '}' ? '{' : '[')) return Fail("brackets that do not match");
        if (depth == 0) return true;
      }
    }
    return Fail("container without end");
  }
  bool SkipString() {
    for (++at_; at_ < end_; ++at_) {
      if (*at_ == '\\') {
        if (++at_ == end_) break;
      } else if (*at_ == '"') {
        ++at_;
        return true;
      }
    }
    return Fail("string without end");
  }

  // Calls `member(name)` behind each colon of an object, `at_` before its brace.
  template <typename Member>
  bool ParseObject(Member&& member) {
    if (!Take('{')) return Fail("an object belongs here");
    if (Take('}')) return true;
    while (true) {
      const std::string_view name = ParseString();
      if (name.data() == nullptr) return false;
      if (!Take(':')) return Fail("a colon belongs here");
      if (!member(name)) return false;
      if (Take('}')) return true;
      if (!Take(',')) return Fail("a comma or the object's end belongs here");
    }
  }

  bool ParseMembers() {
    return ParseObject([this](std::string_view name) {
      if (name == "extFields") return ParseFields();
      if (name == "code") return ParseNumber(frame_.code);
      if (name == "opaque") return ParseNumber(frame_.opaque);
      if (name == "flag") return ParseNumber(frame_.flag);
      if (name == "version") return ParseNumber(frame_.version);
      Scalar value;
      if (!ParseScalar(value)) return false;
      if (name == "remark") {
        frame_.remark = value.text;
      } else if (name == "language") {
        frame_.language = ReadLanguage(value.text);
      }
      return true;
    });
  }

  bool ParseFields() {
    SkipBlanks();
    if (at_ < end_ && *at_ != '{') {
      Scalar value;
      if (!ParseScalar(value)) return false;
      return value.null || Fail("extFields is no object");
    }
    return ParseObject([this](std::string_view name) {
      if (at_ < end_ && *at_ == '"') [[likely]] {
        const std::string_view text = ParseString();
        if (text.data() == nullptr) return false;
        AddField(name, text);
        return true;
      }
      Scalar value;
      if (!ParseScalar(value)) return false;
      if (!value.null) AddField(name, value.text);
      return true;
    });
  }

  void AddField(std::string_view name, std::string_view value) {
    ExtField& field = frame_.fields.emplace_back();
    field.name = name;
    field.value = value;
  }

  bool ParseNumber(int32_t& number) {
    Scalar value;
    if (!ParseScalar(value)) return false;
    if (value.null) return true;
    if (value.container || !internal::ReadValue(value.text, number)) return Fail("a 32-bit number belongs before this");
    return true;
  }

  static int32_t ReadLanguage(std::string_view text) {
    int32_t ordinal = 0;
    if (internal::ReadValue(text, ordinal)) return LanguageOf(LanguageName(ordinal));
    return LanguageOf(text);
  }

  char* const begin_;
  char* at_;
  char* const end_;
  Frame& frame_;
  const char* error_ = nullptr;
};

}  // namespace

absl::Status DecodeJsonHeader(char* begin, size_t size, Frame& frame) {
  return HeaderParser(begin, size, frame).Parse();
}

}  // namespace net
