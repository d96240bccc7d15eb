#include "main/metrics_endpoint.h"

#include <utility>

#include "core/log.h"
#include "core/strings.h"

namespace ringmq {

void MetricsEndpoint::Start(const std::string& listen, Source source) {
  if (listen.empty()) return;
  source_ = std::move(source);
  const absl::StatusOr<core::Endpoint> at = core::Endpoint::Parse(listen);
  absl::StatusOr<std::unique_ptr<net::MetricsServer>> server =
      at.ok() ? net::MetricsServer::Start(*at, [this] { return Text(source_); }) : at.status();
  if (!server.ok()) {
    report_ = core::StrCat("none: ", core::ToStd(server.status().message()),
                           "; metricsListen chooses another place, or none");
    core::LogWarning("metrics: ", report_);
    return;
  }
  server_ = *std::move(server);
  report_ = core::StrCat("http://", server_->local().Text(), "/metrics");
}

core::Task<std::string> MetricsEndpoint::Text(const Source& source) {
  const std::vector<core::MetricSource> sources = co_await source();
  co_return core::PrometheusText(sources);
}

core::Task<void> MetricsEndpoint::Stop() {
  if (server_ != nullptr) co_await server_->Stop();
  server_.reset();
}

}  // namespace ringmq
