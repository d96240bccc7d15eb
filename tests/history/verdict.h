#pragma once

#include "tests/history/context.h"

namespace history {

/// What only the end tells: what is missing, doubled or moved in the last scan (or, where there is none, in what was polled), places
/// with two values, order. Marks the values whose loss their promise allows.
void JudgePlaces(Context& context);
/// REORDER-PROC and REORDER-REALTIME, of what JudgePlaces left.
void JudgeOrder(Context& context);

}  // namespace history
