#include "broker/pop/allocate.h"

#include <algorithm>

namespace broker {
namespace {

std::vector<ClusterQueue> Averagely(size_t index, std::span<const ClusterQueue> queues, size_t clients) {
  // The first ones get one more where it does not come out even.
  const size_t each = queues.size() / clients;
  const size_t more = queues.size() % clients;
  const size_t begin = index * each + std::min(index, more);
  const size_t count = each + (index < more ? 1 : 0);
  const auto from = queues.begin() + static_cast<std::ptrdiff_t>(begin);
  return {from, from + static_cast<std::ptrdiff_t>(count)};
}

std::vector<ClusterQueue> ByCircle(size_t index, std::span<const ClusterQueue> queues, size_t clients) {
  std::vector<ClusterQueue> mine;
  for (size_t i = index; i < queues.size(); i += clients) mine.push_back(queues[i]);
  return mine;
}

}  // namespace

std::optional<std::vector<ClusterQueue>> AllocateQueues(std::string_view strategy, std::string_view client,
                                                        std::span<const ClusterQueue> queues,
                                                        std::span<const std::string> clients) {
  const bool averagely = strategy == "AVG";
  if (!averagely && strategy != "AVG_BY_CIRCLE") return std::nullopt;
  const auto it = std::find(clients.begin(), clients.end(), client);
  if (it == clients.end() || queues.empty()) return std::vector<ClusterQueue>();
  const auto index = static_cast<size_t>(it - clients.begin());
  return averagely ? Averagely(index, queues, clients.size()) : ByCircle(index, queues, clients.size());
}

std::optional<std::vector<ClusterQueue>> AllocateQueuesForPop(std::string_view strategy, std::string_view client,
                                                              std::span<const ClusterQueue> queues,
                                                              std::span<const std::string> clients, int32_t share) {
  std::vector<ClusterQueue> mine;
  if (share <= 0 || static_cast<size_t>(share) + 1 >= clients.size()) {
    for (const ClusterQueue& queue : queues) mine.push_back({queue.topic, queue.broker_name, -1});
  } else {
    const auto it = std::find(clients.begin(), clients.end(), client);
    if (it == clients.end() || queues.empty()) return mine;
    const auto index = static_cast<size_t>(it - clients.begin());
    if (clients.size() > queues.size()) {
      mine.push_back(queues[index % queues.size()]);  // so that every member has some
    } else {
      for (size_t i = 0; i <= static_cast<size_t>(share); ++i) {
        std::optional<std::vector<ClusterQueue>> some =
            AllocateQueues(strategy, clients[(index + i) % clients.size()], queues, clients);
        if (!some.has_value()) return std::nullopt;
        mine.insert(mine.end(), some->begin(), some->end());
      }
    }
  }
  std::sort(mine.begin(), mine.end());
  mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
  return mine;
}

}  // namespace broker
