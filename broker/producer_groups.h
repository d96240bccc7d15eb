#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client_info.h"

namespace broker {

/// The producers whose connections this shard accepted, by group. Who wants all of a group asks every shard. One shard.
class ProducerGroups {
 public:
  static constexpr size_t kGroupsPerConnectionMax = 1'024;

  /// False: the connection is in as many groups as it may be, and not in this one.
  bool Heartbeat(std::string_view group, ClientInfo client);
  void Unregister(std::string_view group, net::Connection::Id connection);
  void ConnectionClosed(net::Connection::Id connection);
  /// Forgets who has been silent since before `oldest`; returns their connections.
  std::vector<net::Connection::Id> Expire(core::MonoTime oldest);

  /// The group's producers on this shard, by connection.
  std::vector<ClientInfo> Members(std::string_view group) const;
  /// Every group on this shard with its producers.
  const std::map<std::string, std::map<net::Connection::Id, ClientInfo>, std::less<>>& all() const { return groups_; }
  /// The connection of the producer with that client id, or 0.
  net::Connection::Id FindClient(std::string_view client_id) const;

 private:
  void Left(net::Connection::Id connection);

  std::map<std::string, std::map<net::Connection::Id, ClientInfo>, std::less<>> groups_;
  std::map<net::Connection::Id, size_t> groups_of_;  // how many each connection is in
};

}  // namespace broker
