#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/access/user.h"
#include "broker/config.h"

namespace broker {

/// What CheckBrokerConfig asks of the settings of access control. kInvalidArgument names the key; no error repeats a password.
absl::Status CheckAccessSettings(const BrokerConfig& config);

/// The request codes of a list such as "105, 34"; kInvalidArgument names `key`.
absl::StatusOr<absl::flat_hash_set<int32_t>> ParseCodes(std::string_view key, std::string_view list);

/// The super users whom `config` names, if any: initAuthenticationUser and innerClientAuthenticationCredentials. Source: RocketMQ 5.3.3
/// AuthenticationMetadataManagerImpl.initUser.
absl::StatusOr<std::optional<User>> InitialUser(const BrokerConfig& config);
absl::StatusOr<std::optional<User>> InnerClientUser(const BrokerConfig& config);

}  // namespace broker
