#pragma once

#include <algorithm>
#include <cstdint>

#include "core/strings.h"
#include "tests/history/context.h"

namespace history {

/// After the nemesis has healed everything, some operation succeeds every few seconds while any is under way.
class Liveness {
 public:
  explicit Liveness(Context& context) : context_(context) {}

  /// Before each event is taken in. `open`: operations under way that are not held on purpose.
  void Look(int64_t t, size_t open) {
    const int64_t healed = context_.faults.healed_at();
    if (open == 0 || healed == kAbsent) {
      quiet_since_ = t;
      return;
    }
    const int64_t since = std::max(quiet_since_, healed);
    if (t - since <= context_.options.stuck) return;
    context_.Flag({.kind = Kind::kStuck,
                   .ops = {},
                   .begin = since,
                   .end = t,
                   .why = core::StrCat(open, " operations under way, healed at ", context_.TimeOf(healed),
                                       ", and none succeeded for ", Seconds(t - since, 0))});
    quiet_since_ = t;
  }
  void Succeeded(int64_t t) { quiet_since_ = t; }

 private:
  Context& context_;
  int64_t quiet_since_ = 0;
};

}  // namespace history
