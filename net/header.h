#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

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

}  // namespace net
