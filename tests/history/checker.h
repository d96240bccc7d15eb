#pragma once

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "tests/history/consumers.h"
#include "tests/history/context.h"
#include "tests/history/event.h"
#include "tests/history/liveness.h"
#include "tests/history/locks.h"
#include "tests/history/reads.h"
#include "tests/history/sends.h"

namespace history {

/// Takes the events of a history in the order of time and finds what must not be. README.md has the anomalies.
class Checker {
 public:
  explicit Checker(const Options& options) : context_(options) {}
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  /// kInvalidArgument: the event does not belong into a history, and there is no verdict after it.
  absl::Status Add(const Event& event);
  /// The verdict; the last call.
  Report Finish();

 private:
  absl::Status Begin(const Event& event, OpRef op);
  absl::Status End(const Event& event, OpenOperation open);
  /// What has no need of two events.
  absl::Status Single(const Event& event, OpRef op);
  absl::Status Name(const Event& event, OpenOperation& open);
  absl::Status TakeNemesis(const Event& event);

  Context context_;
  Sends sends_{context_};
  Reads reads_{context_};
  Consumers consumers_{context_};
  Locks locks_{context_};
  Liveness liveness_{context_};
  absl::flat_hash_map<OpRef, OpenOperation> open_;
  size_t held_ = 0;  // of them, pulls that the broker may hold
};

}  // namespace history
