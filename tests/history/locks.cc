#include "tests/history/locks.h"

#include <algorithm>
#include <vector>

#include "core/strings.h"

namespace history {

void Locks::InvokeUnlock(const OpenOperation& open) {
  for (Hold& hold : holds_[{open.group, open.queue}]) {
    if (hold.client == open.client) hold.until = std::min(hold.until, open.invoked);
  }
}

void Locks::CompleteLock(const Event& event, const OpenOperation& open) {
  if (event.phase != Phase::kOk) return;
  std::vector<Hold>& holds = holds_[{open.group, open.queue}];
  std::erase_if(holds, [&](const Hold& hold) { return hold.until <= event.t; });
  // The broker counts from when it got the request, which was not before it was sent.
  const Hold fresh{open.client, event.t, open.invoked + context_.options.lock_expiry, open.op};
  if (fresh.until <= fresh.from) return;
  bool renewed = false;
  for (Hold& hold : holds) {
    if (hold.client == open.client) {
      hold.until = std::max(hold.until, fresh.until);
      renewed = true;
      continue;
    }
    context_.Flag(
        {.kind = Kind::kLockOverlap,
         .queue = open.queue,
         .ops = {hold.op, open.op},
         .begin = hold.from,
         .end = event.t,
         .why = core::StrCat("client ", context_.ledger.clients.TextOf(hold.client), " holds it since ",
                             context_.TimeOf(hold.from), ", and client ", context_.ledger.clients.TextOf(open.client),
                             " got it at ", context_.TimeOf(event.t))});
  }
  if (!renewed) holds.push_back(fresh);
}

}  // namespace history
