// Any configuration file, address, size or hour of deletion is taken or refused with a sentence; what a broker prints as its configuration it
// takes again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "broker/config.h"
#include "core/io.h"
#include "core/properties.h"
#include "main/memory_budget.h"
#include "nameserver/config.h"

namespace {

void CheckBrokerText(const broker::BrokerConfig& config) {
  const std::string text = broker::BrokerConfigText(config);
  const absl::StatusOr<std::vector<core::Property>> properties = core::ParseProperties(text);
  if (!properties.ok()) abort();
  broker::BrokerConfig again;
  std::vector<core::ConfigFinding> findings;
  if (!broker::ApplyBrokerProperties(*properties, "printed", again, findings).ok()) abort();
  if (broker::BrokerConfigText(again) != text) abort();
}

void CheckEndpoint(std::string_view text) {
  const absl::StatusOr<core::Endpoint> endpoint = core::Endpoint::Parse(text);
  if (!endpoint.ok()) return;
  const absl::StatusOr<core::Endpoint> again = core::Endpoint::Parse(endpoint->Text());
  if (!again.ok() || !(*again == *endpoint)) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckEndpoint(text);
  (void)core::Endpoint::Parse(text, 1);
  (void)ringmq::ParseSize(text);
  (void)broker::DeleteWhenHours(text);
  (void)core::ParseAssignment(text);
  for (const std::string& address : broker::SplitAddresses(text)) {
    if (address.empty()) abort();
  }
  nameserver::NameServerConfig live;
  (void)nameserver::UpdateLiveSettings(text, live);

  const absl::StatusOr<std::vector<core::Property>> properties = core::ParseProperties(text);
  if (!properties.ok()) return 0;
  std::vector<core::ConfigFinding> findings;
  broker::BrokerConfig broker;
  if (broker::ApplyBrokerProperties(*properties, "fuzz", broker, findings).ok() &&
      broker::CheckBrokerConfig(broker).ok()) {
    CheckBrokerText(broker);
  }
  nameserver::NameServerConfig nameserver;
  if (nameserver::ApplyNameServerProperties(*properties, "fuzz", nameserver, findings).ok()) {
    (void)nameserver::CheckNameServerConfig(nameserver);
    (void)nameserver::NameServerConfigText(nameserver, core::Reader::kPeer);
  }
  (void)core::FormatFindings(findings);
  return 0;
}
