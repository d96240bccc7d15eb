#include "net/client.h"

namespace net {

namespace {

// The server closes idle connections and peers that do not read; a client keeps what it opened.
ServerLimits ClientLimits() {
  ServerLimits limits;
  limits.idle_timeout = absl::InfiniteDuration();
  limits.output_stall_timeout = absl::InfiniteDuration();
  limits.requests_max = UINT32_MAX;
  limits.output_bytes_max = size_t{8} << 20;
  return limits;
}

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<Client>>> Client::Connect(core::Endpoint to, absl::Duration timeout,
                                                                    const Router* router) {
  absl::StatusOr<std::unique_ptr<core::Socket>> socket = co_await core::Socket::Connect(to, timeout);
  if (!socket.ok()) co_return socket.status();
  std::unique_ptr<Client> client(new Client(*std::move(socket), router));
  client->scope_.Spawn(client->connection_->Serve());
  co_return client;
}

Client::Client(std::unique_ptr<core::Socket> socket, const Router* router)
    : limits_(ClientLimits()),
      budgets_(limits_),
      connection_(std::make_unique<Connection>(std::move(socket), 0, router, limits_, budgets_)) {}

Client::~Client() = default;

core::Task<void> Client::Close() {
  connection_->Close("the client closes it");
  co_await scope_.Join();
}

}  // namespace net
