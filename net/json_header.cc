#include <cstdint>

#include "core/strings.h"
#include "net/frame_header.h"
#include "net/header.h"
#include "net/header_shapes.h"
#include "net/json_text.h"
#include "net/string_index.h"

// The JSON header encoding, read where it lies. Source: RocketMQ 5.3.3 RemotingSerializable (fastjson). There are two readers: one for headers as clients
// write them, without blanks and with nothing unusual in them, which goes from string to string in an index of them; and one for any JSON, which
// takes what the first one does not. Where both can read a header they read the same.

namespace net {

namespace {

constexpr int kDepthMax = 32;

bool IsWordCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

int32_t ReadLanguage(std::string_view text) {
  int32_t ordinal = 0;
  if (internal::ReadValue(text, ordinal)) return LanguageOf(LanguageName(ordinal));
  return LanguageOf(text);
}

/// False: it has as many as may be.
bool AddField(Frame& frame, std::string_view name, std::string_view value) {
  if (frame.fields.size() >= Frame::kFieldsMax) return false;
  // Member by member: a temporary that is stored in pieces and loaded as a whole waits for its stores.
  ExtField& field = frame.fields.emplace_back();
  field.name = name;
  field.value = value;
  return true;
}

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
        return AddField(frame_, name, text) || Fail("there are more fields than any request has before this");
      }
      Scalar value;
      if (!ParseScalar(value)) return false;
      return value.null || AddField(frame_, name, value.text) || Fail("there are more fields than any request has before this");
    });
  }

  bool ParseNumber(int32_t& number) {
    Scalar value;
    if (!ParseScalar(value)) return false;
    if (value.null) return true;
    if (value.container || !internal::ReadValue(value.text, number)) return Fail("a 32-bit number belongs before this");
    return true;
  }

  char* const begin_;
  char* at_;
  char* const end_;
  Frame& frame_;
  const char* error_ = nullptr;
};

// A header in which each thing is where it usually is. Nothing is changed in the text before all of it has been looked at, so that the other reader may
// still take it.
class UsualHeaderParser {
 public:
  enum class Outcome { kRead, kUnusual, kBadEscape };

  UsualHeaderParser(char* text, size_t size, Frame& frame) : text_(text), size_(size), frame_(frame) {}

  /// Tells `shapes`, unless it is null, what it has found.
  Outcome Parse(HeaderShapes* shapes) {
    // All places below are in front of the last byte, which is the object's end: each step looks at one byte more than what it has passed.
    if (size_ < 2 || text_[0] != '{' || text_[size_ - 1] != '}' || !index_.Build(text_, size_)) return Outcome::kUnusual;
    quote_ = index_.quotes;
    escape_ = index_.escapes;
    at_ = 1;
    if (!ParseMembers() || at_ != size_ - 1) return Outcome::kUnusual;
    if (shapes != nullptr && shapes->Wants(size_)) shapes->Learn(text_, size_, frame_, opaque_);
    return Unescape() ? Outcome::kRead : Outcome::kBadEscape;
  }

 private:
  static constexpr size_t kEscapedMax = 8;

  std::string_view Text(size_t begin, size_t end) const { return {text_ + begin, end - begin}; }

  // A string that begins here: the places behind its first quote and of its last.
  bool TakeString(size_t& begin, size_t& end) {
    if (quote_[0] != at_ || quote_[1] == StringIndex::kNone) return false;
    begin = at_ + 1;
    end = quote_[1];
    quote_ += 2;
    at_ = end + 1;
    return true;
  }
  bool HasEscape(size_t end) const { return *escape_ < end; }

  // A name without escapes, and its colon.
  bool TakeName(std::string_view& name) {
    size_t begin = 0;
    size_t end = 0;
    if (!TakeString(begin, end) || HasEscape(end) || text_[at_] != ':') return false;
    name = Text(begin, end);
    ++at_;
    return true;
  }

  // Anything but a string, an array or an object.
  bool TakeWord(std::string_view& word) {
    const size_t begin = at_;
    while (IsWordCharacter(text_[at_])) ++at_;
    word = Text(begin, at_);
    return !word.empty();
  }

  // A plus sign is no number in JSON, although it is one in a field.
  bool TakeNumber(std::string_view& word, int32_t& number) { return text_[at_] != '+' && TakeWord(word) && internal::ReadValue(word, number); }
  bool TakeNumber(int32_t& number) {
    std::string_view word;
    return TakeNumber(word, number);
  }

  bool TakeOpaque() {
    if (!opaque_.empty()) return false;  // a second one: the last counts, but only one place of it can be known
    return TakeNumber(opaque_, frame_.opaque);
  }

  // The string that is the value of `target`, which is filled in when its escapes are gone.
  bool TakeText(std::string_view& target) {
    size_t begin = 0;
    size_t end = 0;
    if (!TakeString(begin, end)) return false;
    target = Text(begin, end);
    if (!HasEscape(end)) [[likely]] return true;
    while (HasEscape(end)) ++escape_;
    if (escaped_count_ == kEscapedMax) return false;
    escaped_[escaped_count_++] = frame_.fields.size();
    return true;
  }

  template <typename Member>
  bool ParseObject(Member&& member) {
    for (;;) {
      std::string_view name;
      if (!TakeName(name) || !member(name)) return false;
      if (text_[at_] == '}') return true;
      if (text_[at_] != ',') return false;
      ++at_;
    }
  }

  bool ParseMembers() {
    return ParseObject([this](std::string_view name) {
      if (name == "extFields") return ParseFields();
      if (name == "code") return TakeNumber(frame_.code);
      if (name == "opaque") return TakeOpaque();
      if (name == "flag") return TakeNumber(frame_.flag);
      if (name == "version") return TakeNumber(frame_.version);
      size_t begin = 0;
      size_t end = 0;
      if (!TakeString(begin, end) || HasEscape(end)) return false;
      const std::string_view text = Text(begin, end);
      if (name == "remark") {
        frame_.remark = text;
      } else if (name == "language") {
        frame_.language = ReadLanguage(text);
      }
      return true;
    });
  }

  bool ParseFields() {
    if (text_[at_] != '{') return false;
    ++at_;
    const bool ended = text_[at_] == '}' || ParseObject([this](std::string_view name) {
      std::string_view value;
      if (!TakeText(value)) return false;
      return AddField(frame_, name, value);
    });
    if (!ended) return false;
    ++at_;
    return at_ < size_;
  }

  bool Unescape() {
    for (size_t i = 0; i < escaped_count_; ++i) {
      std::string_view& value = frame_.fields[escaped_[i]].value;
      char* const begin = text_ + (value.data() - text_);
      char* at = begin;
      char* end = nullptr;
      if (!internal::UnescapeFrom(at, begin + value.size() + 1, '"', &end)) return false;
      value = {begin, static_cast<size_t>(end - begin)};
    }
    return true;
  }

  char* const text_;
  const size_t size_;
  Frame& frame_;
  size_t at_ = 0;
  const uint16_t* quote_ = nullptr;
  const uint16_t* escape_ = nullptr;
  size_t escaped_[kEscapedMax];  // fields with escapes in their values
  size_t escaped_count_ = 0;
  std::string_view opaque_;
  StringIndex index_;
};

}  // namespace

absl::Status DecodeAnyJsonHeader(char* begin, size_t size, Frame& frame) { return HeaderParser(begin, size, frame).Parse(); }

absl::Status DecodeJsonHeader(char* begin, size_t size, Frame& frame, HeaderShapes* shapes) {
  if (shapes != nullptr && shapes->Read(begin, size, frame)) return absl::OkStatus();
  switch (UsualHeaderParser(begin, size, frame).Parse(shapes)) {
    case UsualHeaderParser::Outcome::kRead:
      return absl::OkStatus();
    case UsualHeaderParser::Outcome::kBadEscape:
      return absl::InvalidArgumentError("JSON header: a string with a bad escape");
    case UsualHeaderParser::Outcome::kUnusual:
      break;
  }
  frame.fields.clear();
  return DecodeAnyJsonHeader(begin, size, frame);
}

}  // namespace net
