#include <cstdio>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "core/log.h"
#include "core/runtime.h"
#include "core/strings.h"
#include "main/server_process.h"
#include "main/store_commands.h"

namespace ringmq {

int RunTool(std::string_view name, std::function<core::Task<absl::Status>()> main, const int& exit_code) {
  constexpr int kFailed = 2;
  absl::Status status = core::CheckMachine();
  if (status.ok()) {
    core::RuntimeOptions runtime;
    runtime.pin_threads = false;  // it may run beside a broker
    runtime.receive_buffers = 8;
    runtime.receive_buffer_bytes = 4096;
    // Reading is all that it does: a long stretch of it keeps nobody waiting.
    runtime.reactor.stall_limit = absl::InfiniteDuration();
    status = core::RunShards(runtime, std::move(main));
  }
  core::FlushLog();
  std::fflush(stdout);
  if (status.ok()) return exit_code;
  (void)Fail(name, status);
  return kFailed;
}

std::string Grouped(uint64_t number) {
  std::string text = absl::StrCat(number);
  for (size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string HumanBytes(uint64_t bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, units[unit]);
}

std::string TimeText(int64_t wall_millis) {
  if (wall_millis <= 0) return "-";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(wall_millis), absl::UTCTimeZone());
}

}  // namespace ringmq
