#include "broker/order_locks.h"

#include <utility>

namespace broker {

bool OrderLocks::Lock(std::string_view group, const core::QueueKey& queue, std::string_view client_id,
                      net::Connection::Id connection, core::MonoTime now) {
  auto queues = groups_.find(group);
  const bool known = queues != groups_.end() && queues->second.contains(queue);
  if (!known && locks_ >= kLocksMax) return false;
  if (queues == groups_.end()) queues = groups_.emplace(std::string(group), std::map<core::QueueKey, Holder>{}).first;
  const auto [at, fresh] = queues->second.try_emplace(queue);
  locks_ += fresh ? 1 : 0;
  Holder& holder = at->second;
  const bool free = fresh || now - holder.renewed > kLease;
  if (!free && holder.client_id != client_id) return false;
  holder.client_id = client_id;
  holder.connection = connection;
  holder.renewed = now;
  return true;
}

void OrderLocks::Unlock(std::string_view group, const core::QueueKey& queue, std::string_view client_id) {
  const auto queues = groups_.find(group);
  if (queues == groups_.end()) return;
  const auto at = queues->second.find(queue);
  if (at == queues->second.end() || at->second.client_id != client_id) return;
  queues->second.erase(at);
  --locks_;
  if (queues->second.empty()) groups_.erase(queues);
}

template <typename Gone>
void OrderLocks::EraseIf(Gone gone) {
  for (auto group = groups_.begin(); group != groups_.end();) {
    locks_ -= std::erase_if(group->second, gone);
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
