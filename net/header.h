#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "net/frame.h"
#include "net/small_copy.h"

namespace net {

/// A request's or response's header is declared once, as a struct of plain members with a list `kFields` that names them:
///
///   struct GetMaxOffsetRequest {
///     static constexpr RequestCode kCode = RequestCode::kGetMaxOffset;
///     std::string_view topic;
///     int32_t queue_id = 0;
///     bool committed = true;
///     static constexpr auto kFields = std::tuple(Required("topic", &GetMaxOffsetRequest::topic),
///         Required("queueId", &GetMaxOffsetRequest::queue_id), Optional("committed", &GetMaxOffsetRequest::committed));
///   };
///
/// Member types: std::string_view (points into the frame), int32_t, int64_t, bool, and std::optional of these for "was it
/// there". Decoding, encoding in both serializations, validation and the compatibility table all read the list.
template <typename Owner, typename Member>
struct Field {
  std::string_view name;
  Member Owner::* member;
  bool required;
};

template <typename Owner, typename Member>
constexpr Field<Owner, Member> Required(std::string_view name, Member Owner::* member) {
  return {name, member, true};
}
template <typename Owner, typename Member>
constexpr Field<Owner, Member> Optional(std::string_view name, Member Owner::* member) {
  return {name, member, false};
}

/// Why a header was refused. `field` is a literal of the header's kFields; empty when all is well.
struct HeaderError {
  std::string_view field;
  std::string_view value;  // what could not be read; points into the frame
  bool missing = false;
  bool ok() const { return field.empty(); }
  /// For the remark of the answer.
  std::string Text() const;
};

namespace internal {

/// Text that is appended to and read, in place as long as it is short.
class GrowingText {
 public:
  void Append(std::string_view text) {
    if (size_ + text.size() <= sizeof(near_)) {
      SmallCopy(near_ + size_, text.data(), text.size());
    } else {
      if (far_.empty()) far_.assign(near_, size_);
      far_.append(text);
    }
    size_ += text.size();
  }
  const char* data() const { return size_ <= sizeof(near_) ? near_ : far_.data(); }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0;
  char near_[192];
  std::string far_;
};

}  // namespace internal

/// Header fields as text, in one inline buffer. Names are literals (kept by pointer) that JSON writes as they are: no quotes, no backslashes. Values are copied.
class HeaderFields {
 public:
  struct Entry {
    std::string_view name;
    uint32_t value_offset;
    uint32_t value_size;
  };
  void Add(std::string_view name, std::string_view value);
  void Add(std::string_view name, int64_t value);
  /// Every field of a header struct; absent optionals are left out.
  template <typename Header>
  void AddHeader(const Header& header);

  const absl::InlinedVector<Entry, 8>& entries() const { return entries_; }
  std::string_view ValueOf(const Entry& entry) const { return {values_.data() + entry.value_offset, entry.value_size}; }
  size_t value_bytes() const { return values_.size(); }

 private:
  absl::InlinedVector<Entry, 8> entries_;
  internal::GrowingText values_;
};

namespace internal {

// As Java's parsers see text: an optional sign and decimal digits; only "true" in any case is true.
bool ParseInteger(std::string_view text, int64_t& value);
bool IsTrue(std::string_view text);

inline bool ReadValue(std::string_view text, std::string_view& value) {
  value = text;
  return true;
}
inline bool ReadValue(std::string_view text, int64_t& value) { return ParseInteger(text, value); }
inline bool ReadValue(std::string_view text, int32_t& value) {
  int64_t wide = 0;
  if (!ParseInteger(text, wide) || wide < INT32_MIN || wide > INT32_MAX) return false;
  value = static_cast<int32_t>(wide);
  return true;
}
inline bool ReadValue(std::string_view text, bool& value) {
  value = IsTrue(text);
  return true;
}
template <typename T>
bool ReadValue(std::string_view text, std::optional<T>& value) {
  T inner{};
  if (!ReadValue(text, inner)) return false;
  value = inner;
  return true;
}

inline void AddValue(HeaderFields& fields, std::string_view name, std::string_view value) { fields.Add(name, value); }
inline void AddValue(HeaderFields& fields, std::string_view name, int64_t value) { fields.Add(name, value); }
inline void AddValue(HeaderFields& fields, std::string_view name, int32_t value) { fields.Add(name, int64_t{value}); }
inline void AddValue(HeaderFields& fields, std::string_view name, bool value) {
  fields.Add(name, value ? std::string_view("true") : std::string_view("false"));
}
template <typename T>
void AddValue(HeaderFields& fields, std::string_view name, const std::optional<T>& value) {
  if (value.has_value()) AddValue(fields, name, *value);
}

}  // namespace internal

/// Reads `header` from the frame's fields; those it does not know are passed over, of one given twice the last counts. An empty text where a
/// number belongs is as good as none.
template <typename Header>
HeaderError DecodeHeader(const Frame& frame, Header& header) {
  HeaderError error;
  constexpr size_t kCount = std::tuple_size_v<std::remove_cvref_t<decltype(Header::kFields)>>;
  static_assert(kCount <= 32);
  [[maybe_unused]] uint32_t seen = 0;
  [&]<size_t... I>(std::index_sequence<I...>) {
    [[maybe_unused]] const auto take = [&]<size_t K>(const ExtField& given, std::integral_constant<size_t, K>) {
      constexpr auto kField = std::get<K>(Header::kFields);
      // With a length that is known here this is one comparison of a word, not a call.
      if (given.name.size() != kField.name.size() || std::memcmp(given.name.data(), kField.name.data(), kField.name.size()) != 0) return false;
      auto& member = header.*kField.member;
      using Member = std::remove_cvref_t<decltype(member)>;
      constexpr bool kText = std::is_same_v<Member, std::string_view> || std::is_same_v<Member, std::optional<std::string_view>>;
      if (!kText && given.value.empty()) return true;
      if (!internal::ReadValue(given.value, member)) {
        error.field = kField.name;
        error.value = given.value;
      }
      seen |= uint32_t{1} << K;
      return true;
    };
    // Most clients send the fields in the order of their declaration: one comparison each. What is left goes through all of them.
    const ExtField* given = frame.fields.data();
    const ExtField* const end = given + frame.fields.size();
    (void)((given != end && take(*given, std::integral_constant<size_t, I>()) && ++given), ...);
    for (; given != end; ++given) (void)(take(*given, std::integral_constant<size_t, I>()) || ...);
    (
        [&] {
          constexpr auto kField = std::get<I>(Header::kFields);
          if (kField.required && (seen >> I & 1) == 0 && error.ok()) {
            error.field = kField.name;
            error.missing = true;
          }
        }(),
        ...);
  }(std::make_index_sequence<kCount>());
  return error;
}

template <typename Header>
void HeaderFields::AddHeader(const Header& header) {
  std::apply([&](const auto&... field) { (internal::AddValue(*this, field.name, header.*field.member), ...); },
             Header::kFields);
}

}  // namespace net
