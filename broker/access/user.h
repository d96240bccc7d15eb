#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "net/json.h"

namespace broker {

/// Super users may do everything. Source: RocketMQ 5.3.3 UserType.
enum class UserType : uint8_t { kNormal, kSuper };
/// Source: RocketMQ 5.3.3 UserStatus.
enum class UserStatus : uint8_t { kEnable, kDisable };

inline constexpr size_t kPasswordBytesMax = 1'024;

/// Who may sign requests. Immutable once it is in a Catalog. Source: RocketMQ 5.3.3 User.
struct User {
  std::string name;
  std::string password;  // as it is: signatures are made with it
  UserType type = UserType::kNormal;
  UserStatus status = UserStatus::kEnable;

  bool active_super() const { return type == UserType::kSuper && status == UserStatus::kEnable; }
  /// JSON with the fields of RocketMQ 5.3.3 UserInfo.
  void WriteJson(net::JsonWriter& json, bool with_password) const;
  std::string ToJson() const;
  /// kDataLoss for what ToJson has not written.
  static absl::StatusOr<User> FromJson(std::string_view json);
  friend bool operator==(const User&, const User&) = default;
};

/// Of their names in any case, as RocketMQ takes them; kInvalidArgument for others (RocketMQ takes them for none).
absl::StatusOr<UserType> ParseUserType(std::string_view name);
absl::StatusOr<UserStatus> ParseUserStatus(std::string_view name);

}  // namespace broker
