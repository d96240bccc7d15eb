#include "net/metrics_server.h"

#include <span>
#include <string_view>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/stop.h"
#include "core/strings.h"
#include "core/sync.h"
#include "core/timer.h"

namespace net {
namespace {

constexpr absl::Duration kAcceptRetry = absl::Milliseconds(100);

std::string Response(std::string_view status, std::string_view type, std::string_view body) {
  return core::StrCat("HTTP/1.1 ", status, "\r\nContent-Type: ", type, "\r\nContent-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

std::string Refusal(std::string_view status, std::string_view why) {
  return Response(status, "text/plain", core::StrCat(why, "\n"));
}

/// Ends a connection that takes too long, or when the server stops, whatever it waits for.
struct EndOf final : core::Timer, core::StopCallback {
  EndOf(core::Socket& s, absl::Duration after, core::StopToken stop) : socket(s) {
    core::Reactor& reactor = core::Reactor::Current();
    reactor.timers().Arm(*this, reactor.now() + after);
    stop.Register(*this);
  }
  void OnExpire() noexcept override { socket.Shutdown(); }
  void OnStop() noexcept override { socket.Shutdown(); }
  core::Socket& socket;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const core::Endpoint& at, Source source) {
  absl::StatusOr<std::unique_ptr<core::Listener>> listener = core::Listener::Listen(at);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<MetricsServer> server(new MetricsServer(*std::move(listener), std::move(source)));
  server->scope_.Spawn(server->AcceptLoop());
  return server;
}

MetricsServer::MetricsServer(std::unique_ptr<core::Listener> listener, Source source)
    : listener_(std::move(listener)), source_(std::move(source)) {}

MetricsServer::~MetricsServer() = default;

core::Task<void> MetricsServer::AcceptLoop() {
  const core::StopToken stop = scope_.stop_token();
  while (!stop.stop_requested()) {
    absl::StatusOr<std::unique_ptr<core::Socket>> socket = co_await listener_->Accept(stop);
    if (!socket.ok()) {
      co_await core::Sleep(kAcceptRetry, stop);
      continue;
    }
    if (serving_ < kConnectionsMax && !stop.stop_requested()) {
      scope_.Spawn(ServeOne(*std::move(socket)));
    } else {
      co_await (*socket)->Close();
    }
  }
}

core::Task<void> MetricsServer::ServeOne(std::unique_ptr<core::Socket> socket) {
  ++serving_;
  EndOf end(*socket, kDeadline, scope_.stop_token());
  std::string answer = co_await AnswerTo(*socket);
  if (!answer.empty()) {
    const core::Slice bytes = core::Reactor::Current().buffers().Copy(answer);
    const absl::Status sent = co_await socket->Send(std::span(&bytes, 1));
    if (!sent.ok() && core::LogEnabled(core::LogLevel::kDebug))
      core::LogDebug("metrics: ", core::ToStd(sent.message()));
  }
  end.Disarm();
  end.Unlink();
  co_await socket->Close();
  --serving_;
}

// Empty when there is nobody to answer.
core::Task<std::string> MetricsServer::AnswerTo(core::Socket& socket) {
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    if (head.size() > kRequestBytesMax)
      co_return Refusal("431 Request Header Fields Too Large", "the request is too long");
    const absl::StatusOr<core::Slice> received = co_await socket.Receive();
    if (!received.ok() || received->empty()) co_return std::string();
    head.append(received->text());
  }
  const std::string_view line = std::string_view(head).substr(0, head.find("\r\n"));
  if (!line.starts_with("GET ")) co_return Refusal("405 Method Not Allowed", "only GET is answered");
  const std::string_view rest = line.substr(4);
  const std::string_view path = rest.substr(0, rest.find_first_of(" ?"));
  if (path != "/metrics") co_return Refusal("404 Not Found", "the metrics are at /metrics");
  const std::string body = co_await source_();
  co_return Response("200 OK", "text/plain; version=0.0.4; charset=utf-8", body);
}

core::Task<void> MetricsServer::Stop() {
  scope_.RequestStop();
  co_await scope_.Join();
  co_await listener_->Close();
}

}  // namespace net
