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

/// Who may ask a server what: the one check that stands before every handler (Router puts it there). By plane: data for everybody; administration
/// for who sits on the same machine, until authentication is configured (CVE-2023-33246 and its like came through remote
/// administration that asked for nothing); the cluster's for the addresses of its brokers. A request without a rule in the request table is refused,
/// and so is one that does not name what its rule says it is about, or names it wrongly.
class AccessPolicy {
 public:
  /// Administration and cluster from this machine only.
  AccessPolicy() = default;
  /// `server` is how it calls itself in remarks ("broker"); `peers_key` the setting that `cluster_peers` is from.
  AccessPolicy(std::string_view server, PeerList cluster_peers, std::string_view peers_key);

  /// The refusal of a request (`info` null: not in the table) from `peer`, or nothing. Names that its handler judges (by_lookup) are not looked at.
  std::optional<Reply> Refuse(const RequestInfo* info, const core::Endpoint& peer, const Frame& frame) const;

 private:
  std::optional<Reply> RefusePlane(const RequestInfo& info, const core::Endpoint& peer) const;

  std::string server_ = "server";
  PeerList cluster_peers_;
  std::string peers_key_;
};

/// What is wrong with the names that `info` says are in the header; nothing when all is well.
std::optional<Reply> RefuseNames(const RequestInfo& info, const Frame& frame);

/// The refusal of a body of so many bytes, of which none need be here yet; nothing when the request may have it. `message_bytes_max`: maxMessageSize.
std::optional<Reply> RefuseBody(const RequestInfo& info, size_t body_bytes, size_t message_bytes_max);

/// "topic=T consumerGroup=g", or the beginning of the body where the names are there: for the audit. Control characters are escaped.
std::string ResourceText(const RequestInfo& info, const Frame& frame);

}  // namespace net
