#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

#include "main/store_commands.h"
#include "store/manifest.h"
#include "store/record.h"
#include "store/segment.h"

namespace ringmq {
namespace {

constexpr int kUsage = 2;
constexpr uint64_t kFileBytesMin = uint64_t{64} << 10;
constexpr uint64_t kFileBytesMax = uint64_t{1} << 31;

void AddDirectory(CLI::App& command, std::string& directory) {
  command.add_option("DIR", directory, "Data folder of RingMQ")->required();
}

}  // namespace

int RunStore(int argc, char** argv) {
  CLI::App app("Tools for data folders. verify, inspect and dump read only, also while a broker runs", "ringmq store");
  app.require_subcommand(1);

  StoreVerifyOptions verify;
  CLI::App* verify_command =
      app.add_subcommand("verify", "Say what is wrong where; exit code 0 intact, 1 damaged, 2 unreadable");
  AddDirectory(*verify_command, verify.directory);
  verify_command->add_flag("--json", verify.json, "One JSON object instead of text");

  StoreInspectOptions inspect;
  CLI::App* inspect_command =
      app.add_subcommand("inspect", "Say what it holds: logs, segments, queues, groups, offsets, disk use");
  AddDirectory(*inspect_command, inspect.directory);
  inspect_command->add_flag("--json", inspect.json, "One JSON object instead of text");

  StoreDumpOptions dump;
  CLI::App* dump_command = app.add_subcommand("dump", "Print messages as JSON lines, in the order of each log");
  AddDirectory(*dump_command, dump.directory);
  dump_command->add_option("--log", dump.log, "Only this log")->type_name("N");
  dump_command->add_option("--topic", dump.topic, "Only this topic")->type_name("TOPIC");
  dump_command->add_option("--queue", dump.queue, "Only this queue id")->type_name("ID");
  dump_command->add_option("--from", dump.from, "Only from this queue offset on")->type_name("OFFSET");
  dump_command->add_option("--count", dump.count, "At most so many lines")->type_name("N");
  dump_command->add_flag("--bodies", dump.bodies, "Bodies too, in base64");

  StoreExportOptions to;
  CLI::App* export_command = app.add_subcommand("export", "Write a store folder that RocketMQ opens");
  AddDirectory(*export_command, to.directory);
  export_command->add_option("OUT", to.out, "New store folder of RocketMQ")->required();
  export_command
      ->add_option("--file-bytes", to.file_bytes, "Size of a commit log file, RocketMQ's mappedFileSizeCommitLog")
      ->type_name("BYTES")
      ->check(CLI::Range(kFileBytesMin, kFileBytesMax))
      ->capture_default_str();
  export_command->add_flag("--fill-holes", to.fill_holes, "Put empty messages where messages were lost");

  StoreImportOptions from;
  CLI::App* import_command =
      app.add_subcommand("import", "Make a data folder from a store folder of RocketMQ 4.9 or 5.x that was stopped");
  import_command->add_option("FROM", from.from, "Store folder of RocketMQ")->required();
  import_command->add_option("DIR", from.directory, "New data folder of RingMQ")->required();
  import_command->add_option("--logs", from.logs, "Logs of the new folder, one for each shard")
      ->type_name("N")
      ->check(CLI::Range(uint32_t{1}, store::kLogNumberMax))
      ->capture_default_str();
  import_command
      ->add_option("--segment-bytes", from.segment_bytes, "Size of a segment, as mappedFileSizeCommitLog of RingMQ")
      ->type_name("BYTES")
      ->check(CLI::Range(store::kSegmentBytesMin, store::kSegmentBytesMax))
      ->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);  // prints help or the error
    return code == 0 ? 0 : kUsage;
  }
  if (from.segment_bytes % store::kBlock != 0 || to.file_bytes % store::kBlock != 0) {
    std::fputs("ringmq store: sizes are multiples of 4096\n", stderr);
    return kUsage;
  }
  if (*verify_command) return RunStoreVerify(verify);
  if (*inspect_command) return RunStoreInspect(inspect);
  if (*dump_command) return RunStoreDump(dump);
  if (*export_command) return RunStoreExport(to);
  return RunStoreImport(from);
}

}  // namespace ringmq
