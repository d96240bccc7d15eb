#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/task.h"

namespace ringmq {

// `ringmq store ...`: tools for data folders. Each returns its exit code.

/// `arguments[0]` is "store". 2: the command line is wrong.
int RunStore(int argc, char** argv);

struct StoreVerifyOptions {
  std::string directory;
  bool json = false;
};
/// 0 intact, 1 damaged, 2 could not be read.
int RunStoreVerify(const StoreVerifyOptions& options);

struct StoreInspectOptions {
  std::string directory;
  bool json = false;
};
/// 0, or 2 when it could not be read.
int RunStoreInspect(const StoreInspectOptions& options);

struct StoreDumpOptions {
  std::string directory;
  std::optional<uint32_t> log;
  std::optional<std::string> topic;
  std::optional<int32_t> queue;
  std::optional<int64_t> from;  // queue offset
  std::optional<uint64_t> count;
  bool bodies = false;
};
/// 0, 1 when messages that were asked for are damaged, 2 when it could not be read.
int RunStoreDump(const StoreDumpOptions& options);

struct StoreExportOptions {
  std::string directory;  // of RingMQ
  std::string out;        // store folder of RocketMQ; empty or absent
  uint64_t file_bytes = uint64_t{1} << 30;
  bool fill_holes = false;
};
/// 0, or 2 with one line that says why.
int RunStoreExport(const StoreExportOptions& options);

struct StoreImportOptions {
  std::string from;       // store folder of RocketMQ
  std::string directory;  // of RingMQ; empty or absent
  uint32_t logs = 1;
  uint64_t segment_bytes = uint64_t{1} << 30;
};
/// 0, or 2 with one line that says why.
int RunStoreImport(const StoreImportOptions& options);

/// Runs `main` on one shard that has no sockets to serve. 2 and one line on stderr when it fails, else what `exit_code` says then.
int RunTool(std::string_view name, std::function<core::Task<absl::Status>()> main, const int& exit_code);

/// The number with commas: "1,234,567".
std::string Grouped(uint64_t number);
/// "2.0 GiB", "17 B".
std::string HumanBytes(uint64_t bytes);
/// "2026-11-26T11:00:00.123Z"; "-" for 0 and below.
std::string TimeText(int64_t wall_millis);

}  // namespace ringmq
