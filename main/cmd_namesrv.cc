#include <cstdio>
#include <memory>
#include <utility>

#include "core/host.h"
#include "core/status.h"
#include "core/strings.h"
#include "main/metrics_endpoint.h"
#include "main/ready_report.h"
#include "main/server_options.h"
#include "main/server_process.h"
#include "main/setup.h"
#include "nameserver/name_server.h"

namespace ringmq {
namespace {

class NamesrvServer final : public Server {
 public:
  NamesrvServer(const ServerOptions& options, NameServerSetup setup) : options_(options), setup_(std::move(setup)) {}

  core::Task<absl::Status> Start() override {
    CO_ASSIGN_OR_RETURN(server_, co_await nameserver::NameServer::Start(setup_.config));
    metrics_.Start(setup_.config.metrics_listen, [this] { return ReadMetrics(); });
    co_return absl::OkStatus();
  }
  void PrintReady(std::string_view confinement) override {
    const std::string address = server_->listening_at().Text();
    ReadyReport report("namesrv");
    report.Line("listening", address).Line("KV file", setup_.config.kv_config_path);
    report.Line("peers", core::StrCat("brokers may register from this machine",
                                      setup_.config.cluster_peers.empty() ? "" : " and clusterPeers=",
                                      setup_.config.cluster_peers));
    report.Line("confinement", confinement);
    if (!metrics_.report().empty()) report.Line("metrics", metrics_.report());
    report.Findings(setup_.findings);
    report.ReadyIn(core::MonotonicNow() - options_.started);
    std::printf("%sThe Name Server boot success. serializeType=JSON, address %s\n", report.text().c_str(), address.c_str());
    std::fflush(stdout);
  }
  core::Task<absl::Status> Stop() override {
    co_await metrics_.Stop();
    co_await server_->Stop();
    server_.reset();
    co_return absl::OkStatus();
  }

 private:
  core::Task<std::vector<core::MetricSource>> ReadMetrics() {
    std::vector<core::MetricSource> sources;
    sources.push_back(server_->ReadMetrics());
    co_return sources;
  }

  const ServerOptions& options_;
  const NameServerSetup setup_;
  std::unique_ptr<nameserver::NameServer> server_;
  MetricsEndpoint metrics_;
};

}  // namespace

int RunNamesrv(const ServerOptions& options) {
  absl::StatusOr<NameServerSetup> setup = PrepareNameServer(options);
  if (!setup.ok()) return Fail("namesrv", setup.status());
  if (options.print_config) {
    std::fputs(nameserver::NameServerConfigText(setup->config, core::Reader::kOperator).c_str(), stdout);
    return 0;
  }
  const core::RuntimeOptions runtime = setup->runtime;
  const core::ConfinementPlan plan = PlanOf(setup->config);
  const bool confined = setup->config.confinement == core::Confinement::kOn;
  NamesrvServer server(options, *std::move(setup));
  return RunServer("namesrv", runtime, confined ? &plan : nullptr, server);
}

}  // namespace ringmq
