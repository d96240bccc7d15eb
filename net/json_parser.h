#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "net/json.h"

namespace net {

/// Builds a JsonDocument in its own copy of the text; see there for what it accepts. Children of a container are gathered on a stack and
/// copied into one array when it ends, so each value costs one move.
class JsonParser {
 public:
  JsonParser(char* begin, char* end, JsonDocument& document)
      : begin_(begin), at_(begin), end_(end), document_(document) {}
  /// The whole text is one value.
  absl::Status Parse();

 private:
  bool ParseValue(JsonValue& value, int depth);
  bool ParseObject(JsonValue& value, int depth);
  bool ParseArray(JsonValue& value, int depth);
  bool ParseKey(JsonValue& key, int depth);
  bool ParseString(JsonValue& value);
  bool ParseWord(JsonValue& value);
  void SkipBlanks();
  bool SkipCommas();
  bool CountValue();
  bool Fail(std::string_view what);
  JsonValue KeepArray(size_t from);
  JsonValue KeepObject(size_t from);

  char* const begin_;
  char* at_;
  char* const end_;
  JsonDocument& document_;
  std::vector<JsonValue> values_;
  std::vector<JsonMember> members_;
  size_t count_ = 0;
  bool has_references_ = false;
  std::string_view error_;
};

}  // namespace net
