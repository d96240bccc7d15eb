#include "broker/order_locks.h"

#include <utility>

namespace broker {

bool OrderLocks::Lock(std::string_view group, const core::QueueKey& queue, std::string_view client_id,
                      net::Connection::Id connection, core::MonoTime now) {
  auto queues = groups_.find(group);
  Holder* holder = nullptr;
  if (queues != groups_.end()) {
    const auto at = queues->second.find(queue);
    if (at != queues->second.end()) holder = &at->second;
  }
  const bool free = holder == nullptr || now - holder->renewed > kLease;
  if (!free && holder->client_id != client_id) return false;
  if (holder == nullptr || holder->connection != connection) {
    size_t& of_connection = locks_of_[connection];
    if (of_connection >= kLocksPerConnectionMax || (holder == nullptr && locks_ >= kLocksMax)) {
      if (of_connection == 0) locks_of_.erase(connection);
      return false;
    }
    ++of_connection;
    if (holder != nullptr) Release(holder->connection);
  }
  if (holder == nullptr) {
    if (queues == groups_.end()) queues = groups_.emplace(std::string(group), std::map<core::QueueKey, Holder>{}).first;
    holder = &queues->second.try_emplace(queue).first->second;
    ++locks_;
  }
  holder->client_id = client_id;
  holder->connection = connection;
  holder->renewed = now;
  return true;
}

void OrderLocks::Release(net::Connection::Id connection) {
  const auto at = locks_of_.find(connection);
  if (--at->second == 0) locks_of_.erase(at);
}

void OrderLocks::Unlock(std::string_view group, const core::QueueKey& queue, std::string_view client_id) {
  const auto queues = groups_.find(group);
  if (queues == groups_.end()) return;
  const auto at = queues->second.find(queue);
  if (at == queues->second.end() || at->second.client_id != client_id) return;
  Release(at->second.connection);
  queues->second.erase(at);
  --locks_;
  if (queues->second.empty()) groups_.erase(queues);
}

template <typename Gone>
void OrderLocks::EraseIf(Gone gone) {
  for (auto group = groups_.begin(); group != groups_.end();) {
    locks_ -= std::erase_if(group->second, [&](const auto& lock) {
      if (!gone(lock)) return false;
      Release(lock.second.connection);
      return true;
    });
    group = group->second.empty() ? groups_.erase(group) : std::next(group);
  }
}

void OrderLocks::ConnectionClosed(net::Connection::Id connection) {
  EraseIf([connection](const auto& lock) { return lock.second.connection == connection; });
}

void OrderLocks::ForgetTopic(std::string_view topic) {
  EraseIf([topic](const auto& lock) { return lock.first.topic == topic; });
}

void OrderLocks::Expire(core::MonoTime now) {
  EraseIf([now](const auto& lock) { return now - lock.second.renewed > kLease; });
}

bool OrderLocks::HoldsAny(std::string_view group, core::MonoTime now) const {
  const auto queues = groups_.find(group);
  if (queues == groups_.end()) return false;
  for (const auto& [queue, holder] : queues->second) {
    if (now - holder.renewed <= kLease) return true;
  }
  return false;
}

}  // namespace broker
