#include "broker/producer_groups.h"

#include <utility>

namespace broker {

bool ProducerGroups::Heartbeat(std::string_view group, ClientInfo client) {
  const net::Connection::Id id = client.connection;
  auto at = groups_.find(group);
  if (at == groups_.end() || !at->second.contains(id)) {
    size_t& of_connection = groups_of_[id];
    if (of_connection == kGroupsPerConnectionMax) return false;
    ++of_connection;
  }
  if (at == groups_.end()) at = groups_.emplace(std::string(group), std::map<net::Connection::Id, ClientInfo>{}).first;
  at->second.insert_or_assign(id, std::move(client));
  return true;
}

void ProducerGroups::Left(net::Connection::Id connection) {
  const auto at = groups_of_.find(connection);
  if (--at->second == 0) groups_of_.erase(at);
}

void ProducerGroups::Unregister(std::string_view group, net::Connection::Id connection) {
  const auto at = groups_.find(group);
  if (at == groups_.end() || at->second.erase(connection) == 0) return;
  Left(connection);
  if (at->second.empty()) groups_.erase(at);
}

void ProducerGroups::ConnectionClosed(net::Connection::Id connection) {
  if (!groups_of_.contains(connection)) return;
  for (auto at = groups_.begin(); at != groups_.end();) {
    if (at->second.erase(connection) > 0) Left(connection);
    at = at->second.empty() ? groups_.erase(at) : std::next(at);
  }
}

std::vector<net::Connection::Id> ProducerGroups::Expire(core::MonoTime oldest) {
  std::vector<net::Connection::Id> silent;
  for (auto at = groups_.begin(); at != groups_.end();) {
    for (auto client = at->second.begin(); client != at->second.end();) {
      if (client->second.seen < oldest) {
        silent.push_back(client->first);
        Left(client->first);
        client = at->second.erase(client);
      } else {
        ++client;
      }
    }
    at = at->second.empty() ? groups_.erase(at) : std::next(at);
  }
  return silent;
}

std::vector<ClientInfo> ProducerGroups::Members(std::string_view group) const {
  std::vector<ClientInfo> members;
  const auto at = groups_.find(group);
  if (at == groups_.end()) return members;
  for (const auto& [id, client] : at->second) members.push_back(client);
  return members;
}

net::Connection::Id ProducerGroups::FindClient(std::string_view client_id) const {
  for (const auto& [group, clients] : groups_) {
    for (const auto& [id, client] : clients) {
      if (client.client_id == client_id) return id;
    }
  }
  return 0;
}

}  // namespace broker
