#include "core/host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "core/strings.h"

namespace core {
namespace {

std::optional<Endpoint> FromSockaddr(const sockaddr_storage& address) {
  Endpoint endpoint;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    std::memcpy(endpoint.address, &v4.sin_addr, 4);
    endpoint.port = ntohs(v4.sin_port);
    return endpoint;
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    endpoint.ipv6 = true;
    std::memcpy(endpoint.address, &v6.sin6_addr, 16);
    endpoint.port = ntohs(v6.sin6_port);
    return endpoint;
  }
  return std::nullopt;
}

socklen_t ToSockaddr(const Endpoint& endpoint, sockaddr_storage& address) {
  address = {};
  if (endpoint.ipv6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, endpoint.address, 16);
    v6.sin6_port = htons(endpoint.port);
    return sizeof(sockaddr_in6);
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  v4.sin_family = AF_INET;
  std::memcpy(&v4.sin_addr, endpoint.address, 4);
  v4.sin_port = htons(endpoint.port);
  return sizeof(sockaddr_in);
}

}  // namespace

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return "";
  return name;
}

absl::StatusOr<Endpoint> ResolveBlocking(std::string_view host_and_port) {
  absl::StatusOr<Endpoint> literal = Endpoint::Parse(host_and_port);
  if (literal.ok()) return literal;
  const size_t colon = host_and_port.rfind(':');
  const std::string_view host = host_and_port.substr(0, colon);
  // The port is checked with an address in the host's place.
  if (colon == std::string_view::npos || host.empty() ||
      !Endpoint::Parse(StrCat("0.0.0.0", host_and_port.substr(colon))).ok()) {
    return absl::InvalidArgumentError(StrCat("'", host_and_port, "' is not HOST:PORT"));
  }
  const Endpoint port_only = *Endpoint::Parse(StrCat("0.0.0.0", host_and_port.substr(colon)));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::optional<Endpoint> best;
  for (const addrinfo* entry = found; error == 0 && entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage address{};
    std::memcpy(&address, entry->ai_addr, entry->ai_addrlen);
    const std::optional<Endpoint> endpoint = FromSockaddr(address);
    if (endpoint.has_value() && (!best.has_value() || (best->ipv6 && !endpoint->ipv6))) best = endpoint;
  }
  if (!best.has_value()) {
    return absl::NotFoundError(
        StrCat("no address for '", host, "': ", error == 0 ? "none of IPv4 or IPv6" : gai_strerror(error)));
  }
  best->port = port_only.port;
  return *best;
}

std::optional<Endpoint> SourceAddressFor(const Endpoint& peer) {
  const int socket_fd = socket(peer.ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return std::nullopt;
  sockaddr_storage address;
  Endpoint to = peer;
  if (to.port == 0) to.port = 9;  // any; a datagram socket only remembers it
  const socklen_t length = ToSockaddr(to, address);
  std::optional<Endpoint> source;
  if (connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) {
    sockaddr_storage local{};
    socklen_t local_length = sizeof local;
    if (getsockname(socket_fd, reinterpret_cast<sockaddr*>(&local), &local_length) == 0) source = FromSockaddr(local);
  }
  close(socket_fd);
  if (source.has_value()) source->port = 0;
  return source;
}

MonoTime MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return {int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

int64_t ProcessId() { return getpid(); }

}  // namespace core
