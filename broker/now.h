#pragma once

#include "core/reactor.h"
#include "core/time.h"

namespace broker {

/// The wall clock of this shard's tick, for files that often ask for it.
inline core::WallMillis Now() { return core::Reactor::Current().wall_now(); }

}  // namespace broker
