#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "core/io_await.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/strings.h"
#include "main/server_process.h"
#include "main/store_commands.h"

namespace ringmq {
namespace {

/// The runtime keeps signals to itself; a tool that reads for an hour must still end at Ctrl-C.
core::Task<void> EndOnSignal() {
  const auto start = [](core::Io& io, core::Completion& done) { io.WaitSignal(done); };
  core::IoCall wait(start);
  const int32_t number = co_await wait;
  if (number < 0) co_return;  // cancelled: all is over
  std::fflush(stdout);
  core::FlushLog();
  _exit(128 + number);
}

core::Task<absl::Status> RunUntilSignal(const std::function<core::Task<absl::Status>()>& main) {
  core::Scope scope;
  scope.Spawn(EndOnSignal());
  const absl::Status status = co_await main();
  core::Reactor::Current().io().CancelWaitSignal();
  co_await scope.Join();
  co_return status;
}

}  // namespace

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
    status = core::RunShards(runtime, [&main] { return RunUntilSignal(main); });
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
