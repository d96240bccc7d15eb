#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "core/sync.h"
#include "net/frame.h"

namespace net {

/// One request under way whose answer somebody waits for. Lives in the waiting coroutine's frame.
struct PendingCall {
  std::optional<absl::StatusOr<Frame>> result;
  core::Notifier done;
};

/// The requests under way on one connection, by opaque. One shard.
class PendingCalls {
 public:
  /// Gives `call` an opaque of its own. It stays here until it has its result or is removed.
  int32_t Add(PendingCall& call) {
    while (calls_.contains(next_)) ++next_;
    const int32_t opaque = static_cast<int32_t>(next_++);
    calls_.emplace(static_cast<uint32_t>(opaque), &call);
    return opaque;
  }
  void Remove(int32_t opaque) { calls_.erase(static_cast<uint32_t>(opaque)); }
  bool Contains(int32_t opaque) const { return calls_.contains(static_cast<uint32_t>(opaque)); }
  /// False for an opaque that nobody waits for (any more).
  bool Complete(Frame frame) {
    const auto it = calls_.find(static_cast<uint32_t>(frame.opaque));
    if (it == calls_.end()) return false;
    PendingCall& call = *it->second;
    calls_.erase(it);
    call.result.emplace(std::move(frame));
    call.done.NotifyAll();
    return true;
  }
  void FailAll(const absl::Status& status) {
    const absl::flat_hash_map<uint32_t, PendingCall*> failed = std::exchange(calls_, {});
    std::vector<std::pair<uint32_t, PendingCall*>> in_order(failed.begin(), failed.end());
    std::sort(in_order.begin(), in_order.end());  // a hash table's order is not the same twice
    for (const auto& [opaque, call] : in_order) {
      call->result.emplace(status);
      call->done.NotifyAll();
    }
  }

 private:
  uint32_t next_ = 1;
  absl::flat_hash_map<uint32_t, PendingCall*> calls_;
};

}  // namespace net
