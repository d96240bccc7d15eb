// What is noted of queues, so that no offset is given out twice whatever becomes of their messages. Each has a floor in the metadata from its first
// message on: so it is known by name. Floors are raised when a segment is sealed or goes, by which a queue is ahead of its floor by no more than
// lies in the segments that are read at the next start; of what is lost there recovery knows the number of messages.

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "store/shard_store_impl.h"

namespace store {

void ShardStoreImpl::RaiseFloor(const core::QueueKey& key, int64_t floor, std::vector<MetaChange>& changes) const {
  std::string name = QueueFloorKey(key);
  const std::string* noted = meta_.Find(MetaTable::kQueueFloors, name);
  int64_t noted_floor = -1;
  if (noted != nullptr && absl::SimpleAtoi(*noted, &noted_floor) && noted_floor >= floor) return;
  changes.push_back({MetaTable::kQueueFloors, std::move(name), absl::StrCat(floor)});
}

void ShardStoreImpl::NoteNewQueue(const Queue& queue) {
  new_queues_.push_back(queue.key);
  new_queue_.NotifyAll();
}

core::Task<absl::Status> ShardStoreImpl::NoteNewQueues() {
  absl::Status status;
  while (!new_queues_.empty()) {
    std::vector<MetaChange> changes;
    for (size_t taken = 0; taken < kQueueSlice && !new_queues_.empty(); ++taken) {
      const core::QueueKey key = std::move(new_queues_.front());
      new_queues_.pop_front();
      if (FindQueue(key) != nullptr) RaiseFloor(key, 0, changes);  // it may have been dropped meanwhile
    }
    if (changes.empty()) {
      co_await core::Yield();
    } else {
      status.Update(co_await meta_.Commit(std::move(changes)));
    }
  }
  co_return status;
}

core::Task<void> ShardStoreImpl::NewQueuesLoop() {
  bool failed = false;
  while (!scope_.stop_requested()) {
    if (new_queues_.empty()) {
      (void)co_await new_queue_.Wait(scope_.stop_token());
      continue;
    }
    const absl::Status status = co_await NoteNewQueues();
    // Nobody waits for it: it counts only when all messages of the queue are lost to damage as well before the next start, which notes it again.
    if (!status.ok() && !std::exchange(failed, true))
      core::LogWarning("new queues of log ", options_.log_number, " are not noted: ", status.ToString());
  }
}

core::Task<void> ShardStoreImpl::NoteFloors(const Segment& segment) {
  absl::Status status;
  // From the back: while others run, queues may go from the list (DropTopic), which moves those behind them forward. What is still to be done
  // stays below `left` by that.
  for (size_t left = segment.queues.size(); left > 0 && status.ok();) {
    std::vector<MetaChange> changes;
    for (size_t taken = 0; taken < kQueueSlice && left > 0; ++taken) {
      const Queue& queue = *segment.queues[--left];
      int64_t floor = 0;
      for (auto run = queue.runs.rbegin(); run != queue.runs.rend() && floor == 0; ++run) {  // its last one there, near the end
        if (run->segment == &segment) floor = run->end();
      }
      RaiseFloor(queue.key, floor, changes);
    }
    if (changes.empty()) {
      co_await core::Yield();
    } else {
      status = co_await meta_.Commit(std::move(changes));
    }
    left = std::min(left, segment.queues.size());
  }
  // The index says the same while it is there, and before it goes the floors must be noted (DeleteOldest).
  if (!status.ok()) core::LogWarning("the queues of ", segment.log.path(), " are not noted: ", status.ToString());
}

}  // namespace store
