#pragma once

#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader class of the same name. Text members point into the frame.

namespace net {

/// The body is a UserInfo.
struct AuthCreateUserRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthCreateUser;
  std::string_view username;
  static constexpr auto kFields = std::tuple(Optional("username", &AuthCreateUserRequest::username));
};

/// The body is a UserInfo; what it does not have stays.
struct AuthUpdateUserRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthUpdateUser;
  std::string_view username;
  static constexpr auto kFields = std::tuple(Optional("username", &AuthUpdateUserRequest::username));
};

struct AuthDeleteUserRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthDeleteUser;
  std::string_view username;
  static constexpr auto kFields = std::tuple(Optional("username", &AuthDeleteUserRequest::username));
};

struct AuthGetUserRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthGetUser;
  std::string_view username;
  static constexpr auto kFields = std::tuple(Optional("username", &AuthGetUserRequest::username));
};

struct AuthListUsersRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthListUsers;
  std::string_view filter;
  static constexpr auto kFields = std::tuple(Optional("filter", &AuthListUsersRequest::filter));
};

/// The body is an AclInfo.
struct AuthCreateAclRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthCreateAcl;
  std::string_view subject;
  static constexpr auto kFields = std::tuple(Optional("subject", &AuthCreateAclRequest::subject));
};

/// The body is an AclInfo.
struct AuthUpdateAclRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthUpdateAcl;
  std::string_view subject;
  static constexpr auto kFields = std::tuple(Optional("subject", &AuthUpdateAclRequest::subject));
};

struct AuthDeleteAclRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthDeleteAcl;
  std::string_view subject;
  std::string_view policy_type;
  std::string_view resource;
  static constexpr auto kFields = std::tuple(Optional("subject", &AuthDeleteAclRequest::subject), Optional("policyType", &AuthDeleteAclRequest::policy_type),
                                             Optional("resource", &AuthDeleteAclRequest::resource));
};

struct AuthGetAclRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthGetAcl;
  std::string_view subject;
  static constexpr auto kFields = std::tuple(Optional("subject", &AuthGetAclRequest::subject));
};

struct AuthListAclRequest {
  static constexpr RequestCode kCode = RequestCode::kAuthListAcl;
  std::string_view subject_filter;
  std::string_view resource_filter;
  static constexpr auto kFields = std::tuple(Optional("subjectFilter", &AuthListAclRequest::subject_filter),
                                             Optional("resourceFilter", &AuthListAclRequest::resource_filter));
};

}  // namespace net
