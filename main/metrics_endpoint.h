#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/metric_registry.h"
#include "core/task.h"
#include "net/metrics_server.h"

namespace ringmq {

/// Where a server of this process shows its metrics. On shard 0.
class MetricsEndpoint {
 public:
  /// Reads the samples of all that the process serves.
  using Source = std::function<core::Task<std::vector<core::MetricSource>>()>;

  /// Listens at `listen` ("address:port"; empty: nowhere). A port that is taken is no reason not to serve: it goes on without, and report() says so.
  void Start(const std::string& listen, Source source);
  core::Task<void> Stop();
  /// One line for who starts the process; empty when there is nothing to say.
  const std::string& report() const { return report_; }

 private:
  static core::Task<std::string> Text(const Source& source);

  Source source_;
  std::unique_ptr<net::MetricsServer> server_;
  std::string report_;
};

}  // namespace ringmq
