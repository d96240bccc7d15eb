#pragma once

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "core/confinement.h"
#include "core/runtime.h"
#include "core/task.h"

namespace ringmq {

/// What runs on the shards, in three steps that RunServer calls on shard 0 one after the other.
class Server {
 public:
  virtual ~Server() = default;
  /// Everything is up when it returns OK; after an error there is nothing left to stop.
  virtual core::Task<absl::Status> Start() = 0;
  /// Prints what a person and a script want to know. `confinement`: what is on of it (core/confinement.h).
  virtual void PrintReady(std::string_view confinement) = 0;
  virtual core::Task<absl::Status> Stop() = 0;
};

/// Confines the process to `plan` (null: not at all), starts `server` on shards as in `options`, runs it until SIGINT or SIGTERM, stops it. A signal while it still starts ends the process
/// at once (nothing was promised yet); so does a second one while it stops, and a stop that takes 5 s. Returns the exit code, having printed
/// what went wrong as "ringmq NAME: ..." on stderr.
int RunServer(std::string_view name, const core::RuntimeOptions& options, const core::ConfinementPlan* plan,
              Server& server);

/// Prints "ringmq NAME: message" on stderr and returns 1.
int Fail(std::string_view name, const absl::Status& status);

}  // namespace ringmq
