#pragma once

#include <vector>

namespace core {
class MetricRegistry;
}  // namespace core

namespace net {

class Router;

/// Adds the requests that have come to `routers`, together, by their names: ringmq_requests_total. The routers outlive the registry.
void AddRequestMetrics(core::MetricRegistry& metrics, std::vector<const Router*> routers);

}  // namespace net
