#include "main/ready_report.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_format.h"
#include "core/host.h"
#include "core/strings.h"
#include "main/version.h"

namespace ringmq {
namespace {

constexpr size_t kLabelWidth = 13;

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  std::string text = absl::StrFormat("%.1f", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return core::StrCat(text, " ", kUnits[unit]);
}

ReadyReport::ReadyReport(std::string_view subcommand)
    : text_(core::StrCat("RingMQ ", kVersion, " (", kCommit, ")", kMutantWarning, " ", subcommand, ", process ", core::ProcessId(), "\n")) {}

ReadyReport& ReadyReport::Line(std::string_view label, std::string_view text) {
  text_ += core::StrCat("  ", label, std::string(kLabelWidth - std::min(kLabelWidth - 1, label.size()), ' '), text, "\n");
  return *this;
}

ReadyReport& ReadyReport::Broker(const BrokerSetup& setup) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(setup.config.store_path_root_dir, error);
  Line("data", error ? setup.config.store_path_root_dir : folder.lexically_normal().string());
  Line("shards", core::StrCat(setup.shards, setup.shards == 1 ? " thread" : " threads, each on its core"));
  Line("memory",
       core::StrCat(FormatBytes(setup.memory_bytes), ": for each shard ", FormatBytes(setup.memory.append_buffer_bytes),
                    " newest messages, ", FormatBytes(setup.memory.read_cache_bytes), " older ones, ",
                    FormatBytes(uint64_t{setup.memory.receive_buffers} * setup.memory.receive_buffer_bytes),
                    " receiving"));
  return Line("flush", setup.config.flush_disk_type == broker::FlushDiskType::kSyncFlush
                           ? "SYNC_FLUSH: what is acknowledged survives a power cut"
                           : "ASYNC_FLUSH: what is acknowledged survives the end of the process; a power cut costs at most the last 50 ms");
}

ReadyReport& ReadyReport::Findings(std::span<const core::ConfigFinding> findings) {
  if (!findings.empty()) text_ += core::StrCat("  settings\n", core::FormatFindings(findings));
  return *this;
}

ReadyReport& ReadyReport::ReadyIn(absl::Duration taken) {
  return Line("ready", core::StrCat("in ", absl::ToInt64Milliseconds(taken), " ms"));
}

}  // namespace ringmq
