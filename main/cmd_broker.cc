// `ringmq broker` and `ringmq standalone`: a broker, without or with a nameserver in the same process.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker.h"
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

class BrokerServer final : public Server {
 public:
  BrokerServer(const ServerOptions& options, BrokerSetup setup, bool standalone)
      : options_(options), setup_(std::move(setup)), standalone_(standalone) {}

  core::Task<absl::Status> Start() override {
    if (standalone_) CO_RETURN_IF_ERROR(co_await StartNameServer());
    absl::StatusOr<std::unique_ptr<broker::Broker>> started = co_await broker::Broker::Start(setup_.config);
    if (!started.ok()) {
      if (nameserver_ != nullptr) co_await nameserver_->Stop();
      nameserver_.reset();
      co_return started.status();
    }
    broker_ = *std::move(started);
    metrics_.Start(setup_.config.metrics_listen, [this] { return ReadMetrics(); });
    co_return absl::OkStatus();
  }

  void PrintReady(std::string_view confinement) override;

  core::Task<absl::Status> Stop() override {
    co_await metrics_.Stop();
    const absl::Status status = co_await broker_->Stop();
    broker_.reset();
    if (nameserver_ != nullptr) co_await nameserver_->Stop();
    nameserver_.reset();
    co_return status;
  }

 private:
  core::Task<absl::Status> StartNameServer() {
    CO_ASSIGN_OR_RETURN(nameserver_, co_await nameserver::NameServer::Start(NameServerBeside(setup_.config, options_)));
    core::Endpoint at = nameserver_->listening_at();
    if (at.IsAny()) at = *core::Endpoint::Parse(at.ipv6 ? "::1" : "127.0.0.1", at.port);
    setup_.config.nameserver_beside = at.Text();
    co_return absl::OkStatus();
  }

  core::Task<std::vector<core::MetricSource>> ReadMetrics() {
    std::vector<core::MetricSource> sources = co_await broker_->ReadMetrics();
    if (nameserver_ != nullptr) sources.push_back(nameserver_->ReadMetrics());
    co_return sources;
  }

  const ServerOptions& options_;
  BrokerSetup setup_;
  const bool standalone_;
  std::unique_ptr<nameserver::NameServer> nameserver_;
  std::unique_ptr<broker::Broker> broker_;
  MetricsEndpoint metrics_;
};

void BrokerServer::PrintReady(std::string_view confinement) {
  const core::Endpoint at = broker_->listening_at();
  const std::string listening = at.Text();
  ReadyReport report(standalone_ ? "standalone" : "broker");
  report.Broker(setup_);
  if (nameserver_ != nullptr) report.Line("nameserver", nameserver_->listening_at().Text());
  core::Endpoint vip = at;
  vip.port = static_cast<uint16_t>(at.port - 2);
  report.Line("broker", setup_.config.listen_port > 2 ? core::StrCat(listening, ", VIP port ", vip.port) : listening);

  std::string shown = listening;
  if (!setup_.config.broker_ip1.empty()) {
    shown = core::StrCat(setup_.config.broker_ip1, ":", at.port);
    report.Line("advertised", core::StrCat(shown, " (brokerIP1)"));
  } else if (standalone_) {
    report.Line("advertised", core::StrCat("the address by which a client reaches the nameserver, with port ", at.port,
                                           "; brokerIP1 sets another"));
  } else {
    shown = core::StrCat(setup_.config.advertised_host, ":", at.port);
    report.Line("advertised", core::StrCat(shown, "; brokerIP1 sets another"));
  }
  std::vector<std::string> nameservers = setup_.config.namesrv_endpoints;
  if (standalone_) nameservers.insert(nameservers.begin(), setup_.config.nameserver_beside);
  std::string addresses;
  for (const std::string& address : nameservers) addresses += core::StrCat(addresses.empty() ? "" : ";", address);
  if (!addresses.empty()) {
    report.Line("registered", core::StrCat("with ", broker_->registered_count(), " of ", nameservers.size(),
                                           nameservers.size() == 1 ? " nameserver: " : " nameservers: ", addresses));
  }
  report.Line("confinement", confinement);
  if (!metrics_.report().empty()) report.Line("metrics", metrics_.report());
  report.Findings(setup_.findings).ReadyIn(core::MonotonicNow() - options_.started);
  std::string boot = report.text();
  if (nameserver_ != nullptr) {
    boot += core::StrCat("The Name Server boot success. serializeType=JSON, address ", nameserver_->listening_at().Text(), "\n");
  }
  boot += core::StrCat("The broker[", setup_.config.broker_name, ", ", shown, "] boot success. serializeType=JSON",
                       addresses.empty() ? "" : core::StrCat(" and name server is ", addresses), "\n");
  std::fputs(boot.c_str(), stdout);
  std::fflush(stdout);
}

int RunBrokerServer(const ServerOptions& options, bool standalone) {
  const std::string_view name = standalone ? "standalone" : "broker";
  absl::StatusOr<BrokerSetup> setup = PrepareBroker(options, standalone);
  if (!setup.ok()) return Fail(name, setup.status());
  if (options.print_config || options.print_important_config) {
    std::fputs(broker::BrokerConfigText(setup->config, options.print_important_config).c_str(), stdout);
    return 0;
  }
  const core::RuntimeOptions runtime = setup->runtime;
  std::optional<int32_t> nameserver_port;
  if (standalone) nameserver_port = NameServerBeside(setup->config, options).listen_port;
  const core::ConfinementPlan plan = PlanOf(*setup, nameserver_port);
  const bool confined = setup->config.confinement == core::Confinement::kOn;
  BrokerServer server(options, *std::move(setup), standalone);
  return RunServer(name, runtime, confined ? &plan : nullptr, server);
}

}  // namespace

int RunBroker(const ServerOptions& options) { return RunBrokerServer(options, /*standalone=*/false); }
int RunStandalone(const ServerOptions& options) { return RunBrokerServer(options, /*standalone=*/true); }

}  // namespace ringmq
