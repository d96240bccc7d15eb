#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/io.h"
#include "net/frame.h"
#include "net/peer_list.h"
#include "net/reply.h"
#include "net/request_table.h"

namespace net {

/// Who asks, as far as it is known.
struct Caller {
  std::string_view user;  // in the frame; empty: nobody has signed
  bool super = false;
};

/// Who the users are and what they may do: stands in an AccessPolicy where there is authentication. One shard.
class UserGuard {
 public:
  /// The refusal of a request that is not signed by a user; otherwise fills in `caller`. Not `whole`: the body is not here, so the signature can't be judged, and
  /// whoever is named may do everything until it is.
  virtual std::optional<Reply> Identify(const RequestInfo& info, const Frame& frame, bool whole, Caller* caller) = 0;
  /// Whether users who are not super have rights of their own; otherwise they may use all of the data plane and nothing else.
  virtual bool has_rights() const = 0;
  /// The refusal of a request about something that `caller` has no right to. Called where has_rights, for who is not super.
  virtual std::optional<Reply> RefuseResources(const RequestInfo& info, const core::Endpoint& peer, const Frame& frame, const Caller& caller) = 0;
  /// The same for the topic of a message that a request of `user` is about, on behalf of the group `group` if there is one.
  virtual std::optional<Reply> RefuseTopic(const RequestInfo& info, const core::Endpoint& peer, std::string_view user, std::string_view topic,
                                           std::string_view group) = 0;

 protected:
  ~UserGuard() = default;
};

/// Who may ask a server what: the one check that stands before every handler (Router puts it there). By plane: data for everybody; administration
/// for who sits on the same machine (CVE-2023-33246 and its like came through remote administration that asked for nothing); the cluster's for the
/// addresses of its brokers. With a UserGuard: each request must be signed by a user, who is one for administration (from anywhere) or has the right to what
/// it is about. A request without a rule in the request table is refused, and so is one that does not name what its rule says it is about, or names it wrongly.
class AccessPolicy {
 public:
  /// Administration and cluster from this machine only.
  AccessPolicy() = default;
  /// `server` is how it calls itself in remarks ("broker"); `peers_key` the setting that `cluster_peers` is from. `guard` outlives the policy; null: everybody is
  /// who comes.
  AccessPolicy(std::string_view server, PeerList cluster_peers, std::string_view peers_key, UserGuard* guard = nullptr);

  /// The refusal of a request (`info` null: not in the table) from `peer`, or nothing. Names that its handler judges (by_lookup) are not looked at.
  /// Not `whole`: the frame's body is not here yet, and all of it is asked again when it is.
  std::optional<Reply> Refuse(const RequestInfo* info, const core::Endpoint& peer, const Frame& frame, bool whole = true) const;
  /// See UserGuard; nothing without one.
  std::optional<Reply> RefuseTopic(const RequestInfo& info, const core::Endpoint& peer, std::string_view user, std::string_view topic,
                                   std::string_view group) const;
  bool knows_users() const { return guard_ != nullptr; }

 private:
  std::optional<Reply> RefusePlane(const RequestInfo& info, const core::Endpoint& peer, const Caller& caller) const;

  std::string server_ = "server";
  PeerList cluster_peers_;
  std::string peers_key_;
  UserGuard* guard_ = nullptr;
};

/// What is wrong with the names that `info` says are in the header; nothing when all is well.
std::optional<Reply> RefuseNames(const RequestInfo& info, const Frame& frame);

/// The refusal of a body of so many bytes, of which none need be here yet; nothing when the request may have it. `message_bytes_max`: maxMessageSize.
std::optional<Reply> RefuseBody(const RequestInfo& info, size_t body_bytes, size_t message_bytes_max);

/// "topic=T consumerGroup=g", or the beginning of the body where the names are there: for the audit. Control characters are escaped.
std::string ResourceText(const RequestInfo& info, const Frame& frame);

}  // namespace net
