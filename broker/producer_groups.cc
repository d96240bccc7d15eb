#include "broker/producer_groups.h"

#include <utility>

namespace broker {

void ProducerGroups::Heartbeat(std::string_view group, ClientInfo client) {
  auto at = groups_.find(group);
  if (at == groups_.end()) at = groups_.emplace(std::string(group), std::map<net::Connection::Id, ClientInfo>{}).first;
  const net::Connection::Id id = client.connection;
  at->second.insert_or_assign(id, std::move(client));
}

void ProducerGroups::Unregister(std::string_view group, net::Connection::Id connection) {
  const auto at = groups_.find(group);
  if (at == groups_.end()) return;
  at->second.erase(connection);
  if (at->second.empty()) groups_.erase(at);
}

void ProducerGroups::ConnectionClosed(net::Connection::Id connection) {
  for (auto at = groups_.begin(); at != groups_.end();) {
    at->second.erase(connection);
    at = at->second.empty() ? groups_.erase(at) : std::next(at);
  }
}

std::vector<net::Connection::Id> ProducerGroups::Expire(core::MonoTime oldest) {
  std::vector<net::Connection::Id> silent;
  for (auto at = groups_.begin(); at != groups_.end();) {
    for (auto client = at->second.begin(); client != at->second.end();) {
      if (client->second.seen < oldest) {
        silent.push_back(client->first);
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
