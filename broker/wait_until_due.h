#pragma once

#include <algorithm>
#include <limits>

#include "absl/time/time.h"
#include "core/reactor.h"
#include "core/stop.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/time.h"

namespace broker {

/// Whether `next`, by the wall clock, has come. If not, waits until then, `earlier` or the stop first, and at most `look_max`, as the clock may step meanwhile: ask
/// again then. WallMillis' maximum: nothing is due at any time.
inline core::Task<bool> IsDueOrWait(core::WallMillis next, absl::Duration look_max, core::Notifier& earlier, core::StopToken stop) {
  const core::WallMillis now = core::Reactor::Current().wall_now();
  if (next <= now) co_return true;
  core::MonoTime until = core::MonoTime::Max();
  if (next != std::numeric_limits<core::WallMillis>::max()) {
    until = core::Reactor::Current().now() + std::min(absl::Milliseconds(next - now), look_max);
  }
  (void)co_await earlier.Wait(until, stop);
  co_return false;
}

}  // namespace broker
