#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"

namespace ringmq {

/// What was typed behind `ringmq standalone`, `namesrv` or `broker`; each subcommand has some of it.
struct ServerOptions {
  core::MonoTime started;                   // when the process began
  std::string config_file;                  // -c
  std::optional<std::string> namesrv_addr;  // -n
  std::optional<std::string> data;          // --data
  std::optional<uint32_t> shards;           // --shards
  std::optional<std::string> memory;        // --memory
  std::optional<std::string> listen;        // --listen
  std::optional<int> listen_port;           // --listen-port
  std::optional<int> namesrv_port;          // --namesrv-port, and -p of namesrv
  std::vector<std::string> assignments;     // key=value
  bool print_config = false;
  bool print_important_config = false;
};

/// Each runs until SIGINT or SIGTERM and returns the exit code: 0 ended cleanly, 1 did not start or did not end cleanly, with one line on
/// stderr that says why and what to do.
int RunStandalone(const ServerOptions& options);
int RunNamesrv(const ServerOptions& options);
int RunBroker(const ServerOptions& options);

}  // namespace ringmq
