#include "net/request_metrics.h"

#include <cstdint>
#include <map>
#include <utility>

#include "core/metric_registry.h"
#include "net/request_table.h"
#include "net/router.h"

namespace net {

void AddRequestMetrics(core::MetricRegistry& metrics, std::vector<const Router*> routers) {
  metrics.Add([routers = std::move(routers)](core::MetricSink& sink) {
    std::map<int32_t, uint64_t> requests;
    for (const Router* router : routers) router->AddRequests(requests);
    for (const auto& [code, count] : requests) {
      const RequestInfo* const info = FindRequest(code);
      if (info == nullptr || count == 0) continue;
      sink.Counter("ringmq_requests_total", "Requests that have come, by RocketMQ's name of their code.", "request", info->name,
                   static_cast<double>(count));
    }
  });
}

}  // namespace net
