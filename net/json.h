#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace net {

/// Writes JSON as fastjson does: compact, UTF-8 as it lies, members in the caller's order (RocketMQ's are sorted by name). Commas and colons
/// are the writer's business.
///   JsonWriter json;
///   json.BeginObject().Member("counter", 3).Key("table").BeginObject();
///   json.NumberKey(0).String("127.0.0.1:10911").EndObject().EndObject();   // {"counter":3,"table":{0:"127.0.0.1:10911"}}
class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();

  /// The name of the next member.
  JsonWriter& Key(std::string_view name);
  /// A number as the name: bare as fastjson writes Map<Integer,..>, or quoted as standard JSON wants it.
  JsonWriter& NumberKey(int64_t number, bool quoted = false);
  /// An object literal as the name (Map<MessageQueue,..>): BeginKeyObject().Member(..)..EndKeyObject(), then the value.
  JsonWriter& BeginKeyObject();
  JsonWriter& EndKeyObject();

  JsonWriter& String(std::string_view value);
  JsonWriter& Int(int64_t value);
  /// As Java prints doubles: always with a decimal point (0.0, 12.5); NaN and infinities as null.
  JsonWriter& Double(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  /// A value that is JSON already.
  JsonWriter& Raw(std::string_view json);

  JsonWriter& Member(std::string_view name, std::string_view value) { return Key(name).String(value); }
  JsonWriter& Member(std::string_view name, const char* value) { return Key(name).String(value); }
  JsonWriter& Member(std::string_view name, const std::string& value) { return Key(name).String(value); }
  JsonWriter& Member(std::string_view name, int64_t value) { return Key(name).Int(value); }
  JsonWriter& Member(std::string_view name, int32_t value) { return Key(name).Int(value); }
  JsonWriter& Member(std::string_view name, uint32_t value) { return Key(name).Int(value); }
  JsonWriter& Member(std::string_view name, bool value) { return Key(name).Bool(value); }
  JsonWriter& Member(std::string_view name, double value) { return Key(name).Double(value); }
  /// Nothing when `value` is empty (absent): fastjson leaves nulls out.
  template <typename T>
  JsonWriter& OptionalMember(std::string_view name, const std::optional<T>& value) {
    if (value.has_value()) Member(name, *value);
    return *this;
  }
  template <typename Range>
  JsonWriter& StringsMember(std::string_view name, const Range& values) {
    Key(name).BeginArray();
    for (const auto& value : values) String(value);
    return EndArray();
  }

  const std::string& text() const { return text_; }
  std::string Take() { return std::move(text_); }

 private:
  void BeforeValue();
  std::string text_;
  bool comma_ = false;  // a value was written before at this level
};

struct JsonMember;

/// One value of a JsonDocument: a cheap view (copy it freely), valid as long as its document. Conversions are fastjson's: numbers in
/// strings and the reverse are fine, whatever does not fit is the fallback.
class JsonValue {
 public:
  enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  JsonValue() = default;
  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_object() const { return kind_ == Kind::kObject; }
  bool is_array() const { return kind_ == Kind::kArray; }
  bool is_string() const { return kind_ == Kind::kString; }

  /// The last member of that name; a null value when there is none or this is no object.
  JsonValue operator[](std::string_view name) const;
  bool Has(std::string_view name) const { return !(*this)[name].is_null(); }
  /// The elements of an array; none for anything else.
  std::span<const JsonValue> items() const;
  /// The members of an object in their order; none for anything else.
  std::span<const JsonMember> members() const;

  /// Text of a string, number or boolean; "" for the rest.
  std::string_view text() const;
  std::string_view TextOr(std::string_view fallback) const { return is_null() ? fallback : text(); }
  /// An integer from a number (fractions cut) or a string with one; nullopt for the rest and beyond 64 bit.
  std::optional<int64_t> AsInt() const;
  int64_t IntOr(int64_t fallback) const { return AsInt().value_or(fallback); }
  /// The same for 32 bit: what does not fit is the fallback.
  int32_t Int32Or(int32_t fallback) const;
  std::optional<bool> AsBool() const;
  bool BoolOr(bool fallback) const { return AsBool().value_or(fallback); }
  double DoubleOr(double fallback) const;
  /// An enum given by name (any case) or ordinal: its index in `names`, or nullopt.
  std::optional<size_t> AsEnum(std::span<const std::string_view> names) const;

 private:
  friend class JsonParser;
  friend class JsonDocument;
  const void* data_ = nullptr;  // char | JsonValue | JsonMember
  uint32_t size_ = 0;
  Kind kind_ = Kind::kNull;
};

/// A member; its key is a string, a number, or an object (Map<MessageQueue,..>).
struct JsonMember {
  JsonValue key;
  JsonValue value;
  std::string_view name() const { return key.text(); }
};

/// A parsed request body. Accepts what fastjson accepts and clients rely on: unquoted, numeric and object keys, single quotes, trailing
/// and doubled commas, raw control characters, {"$ref":"$.a[0]"} (resolved where it points to a part without references of its own).
/// Bounded: depth 32, 4 million values, and work linear in the text.
class JsonDocument {
 public:
  /// kInvalidArgument says what is wrong at which byte. An empty text is an error.
  static absl::StatusOr<JsonDocument> Parse(std::string_view text);

  JsonDocument(JsonDocument&&) noexcept = default;
  JsonDocument& operator=(JsonDocument&&) noexcept = default;
  JsonValue root() const { return root_; }

  static constexpr int kDepthMax = 32;
  static constexpr size_t kValuesMax = size_t{4} << 20;

 private:
  friend class JsonParser;
  JsonDocument() = default;
  std::unique_ptr<char[]> text_;  // a copy, in which strings are unescaped where they lie
  std::vector<std::unique_ptr<JsonValue[]>> arrays_;
  std::vector<std::unique_ptr<JsonMember[]>> objects_;
  JsonValue root_;
};

}  // namespace net
