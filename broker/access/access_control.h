#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "broker/access/access_tables.h"
#include "broker/access/resource.h"
#include "broker/catalog.h"
#include "broker/config.h"
#include "broker/string_map.h"
#include "net/access.h"
#include "net/signature.h"

namespace broker {

/// Who the users of this broker are and what they may do: access control as RocketMQ 5.3 has it ("ACL 2.0"). A request is signed with a user's name and password
/// (net/signature.h); a super user may do everything, others what their access control list says. What a change of users and lists has installed in the catalog
/// counts from the next request on. One shard.
class AccessControl final : public net::UserGuard {
 public:
  struct Counters {
    uint64_t unidentified = 0;  // requests without a right signature
    uint64_t denied = 0;        // of users who had no right to it
  };

  /// Null unless authenticationEnabled. `config` has passed CheckBrokerConfig; both outlive it.
  static std::unique_ptr<AccessControl> Make(const BrokerConfig& config, const CatalogView& catalog);

  std::optional<net::Reply> Identify(const net::RequestInfo& info, const net::Frame& frame, bool whole, net::Caller* caller) override;
  bool has_rights() const override { return authorizes_; }
  std::optional<net::Reply> RefuseResources(const net::RequestInfo& info, const core::Endpoint& peer, const net::Frame& frame,
                                            const net::Caller& caller) override;
  std::optional<net::Reply> RefuseTopic(const net::RequestInfo& info, const core::Endpoint& peer, std::string_view user, std::string_view topic,
                                        std::string_view group) override;

  const Counters& counters() const { return counters_; }

 private:
  struct Known {
    std::shared_ptr<const User> user;
    net::Signer signer;
  };
  struct Asking {
    const net::RequestInfo& info;
    const core::Endpoint& peer;
    std::string_view user;
  };

  AccessControl(const BrokerConfig& config, const CatalogView& catalog);
  const net::Signer& SignerOf(const std::shared_ptr<const User>& user);
  std::optional<net::Reply> RefuseCluster(const Asking& asking);
  /// A retry topic belongs to its group; `group`: for which it is asked, judged beside.
  std::optional<net::Reply> RefuseRetryTopic(const Asking& asking, std::string_view rest, std::string_view group);
  std::optional<net::Reply> RefuseTopicOf(const Asking& asking, std::string_view topic, std::string_view group);
  std::optional<net::Reply> RefuseNamed(const Asking& asking, ResourceType type, std::string_view name, net::RequestAction actions);
  std::optional<net::Reply> RefuseHeader(const Asking& asking, const net::Frame& frame);

  const CatalogView& catalog_;
  const std::string cluster_;
  const std::string reply_topic_;
  const bool authorizes_;
  const absl::flat_hash_set<int32_t> unsigned_codes_;
  const absl::flat_hash_set<int32_t> unjudged_codes_;
  StringMap<Known> known_;
  const net::Signer nobodys_{"nobody's secret"};
  Counters counters_;
};

}  // namespace broker
