#include "main/server_process.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "core/io_await.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/strings.h"
#include "core/sync.h"

namespace ringmq {
namespace {

constexpr absl::Duration kStopTimeout = absl::Seconds(5);

enum class Phase { kStarting, kServing, kStopping };

/// Follows the signals of the process. On shard 0.
struct Signals {
  Phase phase = Phase::kStarting;
  bool stop_wanted = false;
  core::Notifier arrived;
};

[[noreturn]] void EndAtOnce(std::string_view why, int code) {
  core::FlushLog();
  std::fprintf(stderr, "ringmq: %.*s\n", static_cast<int>(why.size()), why.data());
  _exit(code);
}

core::Task<void> Follow(Signals& signals) {
  const auto start = [](core::Io& io, core::Completion& done) { io.WaitSignal(done); };
  while (true) {
    core::IoCall wait(start);
    const int32_t number = co_await wait;
    if (number < 0) co_return;  // cancelled: all is over
    if (signals.phase == Phase::kStarting) EndAtOnce("ended by a signal before it was ready", 128 + number);
    if (signals.phase == Phase::kStopping) EndAtOnce("a second signal: not waiting for the clean end", 128 + number);
    signals.stop_wanted = true;
    signals.arrived.NotifyAll();
  }
}

core::Task<void> LimitStop(core::StopToken done) {
  if (co_await core::Sleep(kStopTimeout, done) == core::WaitResult::kTimeout) {
    EndAtOnce("the clean end takes too long: ending without it", 1);
  }
}

// `plan`: null when the process is not to be confined; `confinement` is what is on so far.
core::Task<absl::Status> Serve(Server& server, const core::ConfinementPlan* plan, std::string confinement) {
  // Every shard has its ring by now, and nobody has been answered yet.
  if (plan != nullptr) confinement += core::StrCat(", ", core::ConfineSystemCalls(), ", io_uring limited");
  Signals signals;
  core::Scope scope;
  scope.Spawn(Follow(signals));
  absl::Status status = co_await server.Start();
  if (status.ok()) {
    server.PrintReady(confinement);
    signals.phase = Phase::kServing;
    while (!signals.stop_wanted) co_await signals.arrived.Wait();
    signals.phase = Phase::kStopping;
    scope.Spawn(LimitStop(scope.stop_token()));
    status = co_await server.Stop();
  }
  scope.RequestStop();
  core::Reactor::Current().io().CancelWaitSignal();
  co_await scope.Join();
  co_return status;
}

}  // namespace

int RunServer(std::string_view name, const core::RuntimeOptions& options, const core::ConfinementPlan* plan,
              Server& server) {
  absl::Status status = core::CheckMachine();
  std::string confinement = "off (confinement=off)";
  if (status.ok() && plan != nullptr) confinement = core::ConfineFiles(*plan);
  if (status.ok()) status = core::RunShards(options, [&] { return Serve(server, plan, confinement); });
  core::FlushLog();
  return status.ok() ? 0 : Fail(name, status);
}

int Fail(std::string_view name, const absl::Status& status) {
  const std::string_view advice =
      absl::IsAlreadyExists(status) ? ": end the process that has the port, or choose another port (see --help)" : "";
  std::fputs(core::StrCat("ringmq ", name, ": ", core::ToStd(status.message()), advice, "\n").c_str(), stderr);
  return 1;
}

}  // namespace ringmq
