#include <CLI/CLI.hpp>
#include <malloc.h>

#include <cstdio>
#include <string>

#include "bench/bench.h"
#include "broker/config.h"
#include "core/host.h"
#include "core/out_of_memory.h"
#include "core/strings.h"
#include "main/compatibility.h"
#include "main/server_options.h"
#include "main/store_commands.h"
#include "main/version.h"
#include "nameserver/config.h"

namespace {

using ringmq::ServerOptions;

constexpr int kUsage = 2;

template <typename Config>
std::string SettingsHelp(std::span<const core::Setting<Config>> settings) {
  const Config defaults;
  std::string text = "\nSettings, as key=value or in the file of -c:\n";
  for (const core::Setting<Config>& setting : settings) {
    text += core::StrCat("  ", setting.key(), " [", setting.Get(defaults), "]: ", setting.help(), "\n");
  }
  return text;
}

void AddCommon(CLI::App& command, ServerOptions& options) {
  command.add_option("-c,--configFile", options.config_file, "Configuration in RocketMQ's .properties format")
      ->type_name("FILE");
  command.add_option("--data", options.data, "Data folder (default ./data)")->type_name("DIR");
  command.add_option("--listen", options.listen, "Address to listen on")->type_name("ADDRESS");
  command.add_option("key=value", options.assignments, "Settings; they win over the file");
  command.add_flag("--print-config", options.print_config, "Print every setting and end");
}

void AddBrokerOptions(CLI::App& command, ServerOptions& options) {
  AddCommon(command, options);
  command.add_option("-n,--namesrvAddr", options.namesrv_addr, "Nameservers, HOST:PORT;HOST:PORT")->type_name("ADDRS");
  command.add_option("--shards", options.shards, "Threads, each with a log (default: one a core, one core left free)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command.add_option("--memory", options.memory, "Memory for messages and buffers, for instance 512M")
      ->type_name("SIZE");
  command.add_option("--listen-port", options.listen_port, "Port of the broker (default 10911)")
      ->type_name("P")
      ->check(CLI::Range(0, 65535));
  command.add_flag("--print-important-config", options.print_important_config,
                   "Print the settings that matter most and end");
  command.footer(SettingsHelp(broker::BrokerSettings()));
}

/// Blocks from this size on are mapped one by one, and the kernel has them back when they are freed. By itself malloc moves that limit up to 32 MiB with
/// the first large blocks; what is then left between blocks of other sizes is lost, and took as much memory again as was in use (tests/fault memory_limit).
constexpr int kMappedBlockBytes = 256 << 10;
/// What the end of a heap keeps, so that it does not grow and shrink with each request.
constexpr int kHeapKeepBytes = 4 << 20;

int Run(int argc, char** argv) {
  (void)mallopt(M_MMAP_THRESHOLD, kMappedBlockBytes);  // only speed and memory depend on them
  (void)mallopt(M_TRIM_THRESHOLD, kHeapKeepBytes);
  core::EndWhenOutOfMemory();
  ServerOptions options;
  options.started = core::MonotonicNow();
  // The load generator and the store's tools have command lines of their own.
  if (argc >= 2 && std::string_view(argv[1]) == "bench") return bench::RunBench(argc - 1, argv + 1);
  if (argc >= 2 && std::string_view(argv[1]) == "store") return ringmq::RunStore(argc - 1, argv + 1);

  CLI::App app("RingMQ: a broker and nameserver for every RocketMQ client", "ringmq");
  app.require_subcommand(1);
  app.set_version_flag("--version", core::StrCat("ringmq ", ringmq::kVersion, " (", ringmq::kCommit, ")", ringmq::kMutantWarning));

  CLI::App* standalone =
      app.add_subcommand("standalone", "Nameserver and broker in one process, on loopback unless told otherwise");
  AddBrokerOptions(*standalone, options);
  standalone->add_option("--namesrv-port", options.namesrv_port, "Port of the nameserver (default 9876)")
      ->type_name("P")
      ->check(CLI::Range(0, 65535));

  CLI::App* namesrv = app.add_subcommand("namesrv", "A nameserver");
  AddCommon(*namesrv, options);
  namesrv->add_option("-p,--port", options.namesrv_port, "Port (default 9876)")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65535));
  namesrv->footer(SettingsHelp(nameserver::NameServerSettings()));

  CLI::App* broker = app.add_subcommand("broker", "A broker");
  AddBrokerOptions(*broker, options);

  CLI::App* version = app.add_subcommand("version", "Print version and commit");
  CLI::App* compatibility = app.add_subcommand("compatibility", "Print docs/COMPATIBILITY.md")->group("");
  app.add_subcommand("store", "Tools for data folders: verify, inspect, dump, export, import");
  app.add_subcommand("bench", "Load generator for any RocketMQ broker: produce, consume, latency");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);  // prints help or the error
    return code == 0 ? 0 : kUsage;
  }
  if (*standalone) return ringmq::RunStandalone(options);
  if (*namesrv) return ringmq::RunNamesrv(options);
  if (*broker) return ringmq::RunBroker(options);
  if (*compatibility) return ringmq::RunCompatibility();
  if (*version) std::printf("ringmq %s (%s)%s\n", ringmq::kVersion, ringmq::kCommit, ringmq::kMutantWarning);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return Run(argc, argv); }
