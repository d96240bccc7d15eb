// Whatever a client says on a connection, a nameserver and a broker answer with frames or close the connection, and go on serving others. Here all
// bodies are decoded that only a handler knows. The first byte: bit 0 chooses the server, the rest how the bytes are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "broker/broker.h"
#include "core/reactor.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "core/socket.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "nameserver/name_server.h"
#include "net/client.h"
#include "net/frame.h"
#include "net/frame_assembler.h"
#include "net/requests/nameserver.h"
#include "net/requests/offsets.h"

namespace {

using core::Task;

constexpr uint16_t kNameServerPort = 9876;
constexpr uint16_t kBrokerPort = 10911;
constexpr absl::Duration kAnswersIn = absl::Seconds(2);

void Demand(bool holds, const char* what, const absl::Status& status = absl::OkStatus()) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n%s\n", what, status.ToString().c_str(), sim::World::Current()->Describe().c_str());
  abort();
}

struct Servers {
  std::unique_ptr<nameserver::NameServer> nameserver;
  std::unique_ptr<broker::Broker> broker;
};

/// Nameserver and broker in one process, as `ringmq standalone` runs them.
Task<absl::StatusOr<Servers>> Start() {
  Servers servers;
  nameserver::NameServerConfig names;
  names.listen_port = kNameServerPort;
  names.kv_config_path = "names/kvConfig.json";
  CO_ASSIGN_OR_RETURN(servers.nameserver, co_await nameserver::NameServer::Start(names));
  broker::BrokerConfig config;
  config.listen_port = kBrokerPort;
  config.nameserver_beside = core::StrCat("127.0.0.1:", kNameServerPort);
  config.store_path_root_dir = "data";
  config.segment_bytes = int64_t{1} << 20;
  config.append_buffer_bytes = size_t{1} << 20;
  config.read_cache_bytes = size_t{1} << 20;
  config.max_message_size = 64 << 10;
  CO_RETURN_IF_ERROR(broker::CheckBrokerConfig(config));
  CO_ASSIGN_OR_RETURN(servers.broker, co_await broker::Broker::Start(config));
  co_return servers;
}

/// Reads until the server closes: what it says must be frames.
Task<void> ReadAnswers(core::Socket& socket) {
  net::FrameAssembler assembler(core::Reactor::Current().buffers(), net::kFrameBytesMax);
  for (;;) {
    const absl::StatusOr<core::Slice> bytes = co_await socket.Receive();
    if (!bytes.ok() || bytes->empty()) co_return;
    assembler.Feed(*bytes);
    for (;;) {
      absl::StatusOr<std::optional<core::Slice>> frame = assembler.Next();
      Demand(frame.ok(), "an answer that is no frame", frame.status());
      if (!frame->has_value()) break;
      const absl::StatusOr<net::Frame> decoded = net::DecodeFrame(std::move(**frame));
      Demand(decoded.ok(), "an answer that can't be decoded", decoded.status());
    }
  }
}

Task<absl::Status> Talk(core::Endpoint server, std::span<const uint8_t> bytes, size_t step) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<core::Socket> socket,
                      co_await core::Socket::Connect(server, absl::Seconds(5)));
  {
    core::Scope scope;
    scope.Spawn(ReadAnswers(*socket));
    for (size_t at = 0; at < bytes.size(); at += step) {
      const std::span<const uint8_t> piece = bytes.subspan(at, std::min(step, bytes.size() - at));
      const core::Slice slice = core::Reactor::Current().buffers().Copy(std::as_bytes(piece));
      if (!(co_await socket->Send(std::span(&slice, 1))).ok()) break;  // closed: its right
    }
    co_await core::Sleep(kAnswersIn);
    socket->Shutdown();
    co_await scope.Join();
  }
  co_await socket->Close();
  co_return absl::OkStatus();
}

/// Both servers answer a client that asks properly.
Task<absl::Status> Ask(core::Endpoint nameserver, core::Endpoint broker) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<net::Client> names,
                      co_await net::Client::Connect(nameserver, absl::Seconds(5)));
  const absl::StatusOr<net::Frame> cluster =
      co_await names->Call(net::GetBrokerClusterInfoRequest(), {}, absl::Seconds(5));
  co_await names->Close();
  CO_RETURN_IF_ERROR(cluster.status());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<net::Client> client,
                      co_await net::Client::Connect(broker, absl::Seconds(5)));
  net::GetMaxOffsetRequest request;
  request.topic = "TBW102";
  const absl::StatusOr<net::Frame> offset = co_await client->Call(request, {}, absl::Seconds(5));
  co_await client->Close();
  co_return offset.status();
}

/// As seen from the same machine: the admin plane is open to it.
core::Endpoint Here(uint16_t port) {
  core::Endpoint here;
  here.address[0] = 127;
  here.address[3] = 1;
  here.port = port;
  return here;
}

Task<absl::Status> Play(std::span<const uint8_t> input) {
  CO_ASSIGN_OR_RETURN(Servers servers, co_await Start());
  const core::Endpoint spoken_to = Here((input[0] & 1) != 0 ? kNameServerPort : kBrokerPort);
  const size_t cut = input[0] >> 1;
  absl::Status status = co_await Talk(spoken_to, input.subspan(1), cut == 0 ? input.size() : cut);
  if (status.ok()) status = co_await Ask(Here(kNameServerPort), Here(kBrokerPort));
  const absl::Status stopped = co_await servers.broker->Stop();
  co_await servers.nameserver->Stop();
  co_return status.ok() ? stopped : status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  sim::World world(1);
  sim::Node& node = world.AddNode("server", 2);
  node.Start([&] { return Play(std::span(data, size)); });
  const absl::Status status = world.RunToEnd(node, absl::Minutes(5));
  Demand(status.ok(), "the servers and their clients", status);
  return 0;
}
