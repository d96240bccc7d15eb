#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "core/settings.h"
#include "main/setup.h"

namespace ringmq {

/// The lines printed when a server is ready: a title, then "  label  text" lines, then the report of the configuration.
class ReadyReport {
 public:
  explicit ReadyReport(std::string_view subcommand);
  ReadyReport& Line(std::string_view label, std::string_view text);
  /// Data folder, shards, memory and flush mode.
  ReadyReport& Broker(const BrokerSetup& setup);
  /// What became of each key of the files; nothing when there is none.
  ReadyReport& Findings(std::span<const core::ConfigFinding> findings);
  ReadyReport& ReadyIn(absl::Duration taken);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// "256 MiB", "1.5 GiB": at most one digit behind the point.
std::string FormatBytes(uint64_t bytes);

}  // namespace ringmq
