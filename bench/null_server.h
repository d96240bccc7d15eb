#pragma once

#include <cstdint>

namespace bench {

/// A server that answers every request with a success made in advance and keeps nothing: what sockets and load generator allow at most. One thread,
/// on loopback, on epoll and nothing of the broker's runtime, so that it is a yardstick and not a mirror. Prints where it listens; runs until SIGINT or
/// SIGTERM. Returns the process's exit code.
int RunNullServer(uint16_t port);

}  // namespace bench
