#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "core/time.h"
#include "core/types.h"
#include "net/server.h"

namespace broker {

/// The queues of this shard that a client of a group has to itself, for ordered consumption. A lock lives 60 s from its last renewal; a client
/// whose connection closes loses its locks at once, so that the next owner need not wait. Source: RocketMQ 5.3.3 RebalanceLockManager.
class OrderLocks {
 public:
  static constexpr absl::Duration kLease = absl::Seconds(60);
  /// Beyond, nobody gets a lock: light queues, which are there if they are named, may have any number.
  static constexpr size_t kLocksMax = 250'000;
  static constexpr size_t kLocksPerConnectionMax = 65'536;

  /// Locks or renews; returns whether `client_id` has the queue now. `connection`: where it came from.
  bool Lock(std::string_view group, const core::QueueKey& queue, std::string_view client_id, net::Connection::Id connection,
            core::MonoTime now);
  void Unlock(std::string_view group, const core::QueueKey& queue, std::string_view client_id);
  /// Frees all that the client locked through that connection.
  void ConnectionClosed(net::Connection::Id connection);
  /// Whether anybody of the group holds an unexpired lock here (an ordered consumer; RocketMQ 5.3.3 RebalanceLockManager).
  bool HoldsAny(std::string_view group, core::MonoTime now) const;
  void ForgetTopic(std::string_view topic);
  /// Forgets locks whose lease is over.
  void Expire(core::MonoTime now);

 private:
  template <typename Gone>
  void EraseIf(Gone gone);
  void Release(net::Connection::Id connection);

  struct Holder {
    std::string client_id;
    net::Connection::Id connection = 0;
    core::MonoTime renewed;
  };
  std::map<std::string, std::map<core::QueueKey, Holder>, std::less<>> groups_;
  size_t locks_ = 0;
  std::map<net::Connection::Id, size_t> locks_of_;
};

}  // namespace broker
