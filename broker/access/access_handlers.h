#pragma once

#include "broker/access/acl.h"
#include "broker/broker_shard.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/access_admin.h"
#include "net/router.h"

namespace broker {

/// Users and what they may do, as mqadmin and the dashboard manage them; also before there is authentication, to prepare it. Passwords are shown to super users
/// only. Source: RocketMQ 5.3.3 AdminBrokerProcessor, createUser to listAcl.
class AccessHandlers {
 public:
  explicit AccessHandlers(BrokerShard& shard) : shard_(shard) {}

  /// AUTH_CREATE_USER (3001) to AUTH_LIST_USER (3005).
  core::Task<net::Reply> CreateUser(net::RequestContext context, net::AuthCreateUserRequest request);
  core::Task<net::Reply> UpdateUser(net::RequestContext context, net::AuthUpdateUserRequest request);
  core::Task<net::Reply> DeleteUser(net::RequestContext context, net::AuthDeleteUserRequest request);
  core::Task<net::Reply> GetUser(net::RequestContext context, net::AuthGetUserRequest request);
  core::Task<net::Reply> ListUsers(net::RequestContext context, net::AuthListUsersRequest request);
  /// AUTH_CREATE_ACL (3006) to AUTH_LIST_ACL (3010).
  core::Task<net::Reply> CreateAcl(net::RequestContext context, net::AuthCreateAclRequest request);
  core::Task<net::Reply> UpdateAcl(net::RequestContext context, net::AuthUpdateAclRequest request);
  core::Task<net::Reply> DeleteAcl(net::RequestContext context, net::AuthDeleteAclRequest request);
  core::Task<net::Reply> GetAcl(net::RequestContext context, net::AuthGetAclRequest request);
  core::Task<net::Reply> ListAcl(net::RequestContext context, net::AuthListAclRequest request);

 private:
  core::Task<net::Reply> Put(net::RequestContext context, std::string_view subject);
  /// A super user asks: not merely somebody on this machine, who may administer while there is no authentication.
  bool BySuperUser(const net::RequestContext& context) const;
  bool MayTouchSuperUsers(const net::RequestContext& context) const;

  BrokerShard& shard_;
};

void RegisterAccessHandlers(BrokerShard& shard);

}  // namespace broker
