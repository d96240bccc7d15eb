#pragma once

#include "core/reactor.h"
#include "core/time.h"

namespace broker {

/// The wall clock of this shard's tick.
inline core::WallMillis Now() { return core::Reactor::Current().wall_now(); }

}  // namespace broker
