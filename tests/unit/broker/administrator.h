#pragma once

#include <memory>
#include <utility>

#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {

/// A client on the broker's own machine, where administration is answered.
inline core::Task<std::unique_ptr<net::Client>> ConnectHere() {
  absl::StatusOr<std::unique_ptr<net::Client>> client =
      co_await net::Client::Connect(core::Endpoint::Parse("127.0.0.1", 10911).value(), kPatience);
  EXPECT_TRUE(client.ok()) << client.status();
  co_return client.ok() ? std::move(*client) : nullptr;
}

/// The scenario with such a client.
template <Scenario scenario>
core::Task<void> Administrator(Broker& broker, net::Client&) {
  std::unique_ptr<net::Client> client = co_await ConnectHere();
  if (client == nullptr) co_return;
  co_await scenario(broker, *client);
  co_await client->Close();
}

}  // namespace broker::testing
