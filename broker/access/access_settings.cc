#include "broker/access/access_settings.h"

#include <charconv>
#include <string>

#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"
#include "net/name_rules.h"
#include "net/request_table.h"

namespace broker {
namespace {

absl::StatusOr<std::optional<User>> ConfiguredUser(std::string_view key, std::string_view json, std::string_view name_member,
                                                   std::string_view password_member) {
  if (json.empty()) return std::nullopt;
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(json);
  User user{.name = {}, .password = {}, .type = UserType::kSuper, .status = UserStatus::kEnable};
  if (document.ok()) {
    user.name = document->root()[name_member].text();
    user.password = document->root()[password_member].text();
  }
  if (net::WrongUserName(user.name).has_value() || user.password.empty() || user.password.size() > kPasswordBytesMax) {
    return absl::InvalidArgumentError(
        core::StrCat(key, ": write {\"", name_member, "\":\"...\",\"", password_member, "\":\"...\"}, a name and a password that are not blank"));
  }
  return user;
}

}  // namespace

absl::StatusOr<absl::flat_hash_set<int32_t>> ParseCodes(std::string_view key, std::string_view list) {
  absl::flat_hash_set<int32_t> codes;
  for (const std::string& part : SplitAddresses(list)) {
    int32_t code = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code);
    if (error != std::errc() || end != part.data() + part.size() || net::FindRequest(code) == nullptr) {
      return absl::InvalidArgumentError(core::StrCat(key, ": '", part, "' is no request code; write numbers with commas between them"));
    }
    codes.insert(code);
  }
  return codes;
}

absl::StatusOr<std::optional<User>> InitialUser(const BrokerConfig& config) {
  return ConfiguredUser("initAuthenticationUser", config.init_authentication_user, "username", "password");
}

absl::StatusOr<std::optional<User>> InnerClientUser(const BrokerConfig& config) {
  return ConfiguredUser("innerClientAuthenticationCredentials", config.inner_client_authentication_credentials, "accessKey", "secretKey");
}

absl::Status CheckAccessSettings(const BrokerConfig& config) {
  // RocketMQ would then believe who anybody says he is.
  if (config.authorization_enabled && !config.authentication_enabled) {
    return absl::InvalidArgumentError("authorizationEnabled=true needs authenticationEnabled=true: who may do what is of no use while anybody can be anybody");
  }
  RETURN_IF_ERROR(ParseCodes("authenticationWhitelist", config.authentication_whitelist).status());
  RETURN_IF_ERROR(ParseCodes("authorizationWhitelist", config.authorization_whitelist).status());
  RETURN_IF_ERROR(InitialUser(config).status());
  return InnerClientUser(config).status();
}

}  // namespace broker
