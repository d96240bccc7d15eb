#include "tests/history/faults.h"

#include <algorithm>

#include "core/strings.h"
#include "tests/history/anomaly.h"

namespace history {

bool Faults::Add(const Event& event) {
  if (event.phase != Phase::kInvoke) {  // the end of what an earlier event began, or all there is of it
    for (auto action = actions_.rbegin(); action != actions_.rend(); ++action) {
      if (action->worker != event.worker || action->op != event.op || action->end != INT64_MAX) continue;
      action->end = event.t;
      if (action->is_cut) {
        for (Cut& cut : cuts_) {
          if (cut.begin == action->begin) cut.end = event.t;
        }
      }
      return true;
    }
  }
  const std::string_view what = event.value;
  if (what.empty()) return false;
  const bool of_master = event.role == Role::kMaster;
  Action action{std::string(what),         event.t,  event.phase == Phase::kInvoke ? INT64_MAX : event.t,
                std::string(event.worker), event.op, of_master && what == "cut"};
  if (!event.client.empty()) action.what += core::StrCat(" ", event.client);
  actions_.push_back(std::move(action));
  if (what == "heal") {
    healed_at_ = event.t;
    return true;
  }
  if (what == "scan") {
    ++scan_round_;
    return true;
  }
  if (what == "start") {
    if (of_master) life_began_ = event.t;
    if (of_master && disk_failed_at_ < event.t) disk_failed_at_ = INT64_MAX;  // what was there at the start is flushed again
    return true;
  }
  ++disturbances_;
  healed_at_ = kAbsent;
  if (!of_master) return true;
  if (what == "flip" && damages_ != kUnlimited) ++damages_;
  if (what == "damage") damages_ = kUnlimited;
  if (what == "disk-error" || what == "no-space") disk_failed_at_ = std::min(disk_failed_at_, event.t);
  if (what == "stop") exposed_from_ = INT64_MAX;  // a clean stop flushes
  if (what == "kill" || what == "cut") {
    last_crash_ = event.t;
    End(event.t, what == "cut");
    if (what == "cut" && event.phase != Phase::kInvoke) cuts_.back().end = event.t;
  }
  return true;
}

void Faults::End(int64_t at, bool power) {
  // A process that died unflushed and whose successor did not live long has nothing flushed of what both left behind.
  const bool short_life = life_began_ > at - window_;
  exposed_from_ = std::min(at - window_, short_life ? exposed_from_ : INT64_MAX);
  // Since a flush failed nothing was flushed any more: a cut however much later takes what was not by then.
  if (disk_failed_at_ != INT64_MAX) exposed_from_ = std::min(exposed_from_, disk_failed_at_ - window_);
  if (power) cuts_.push_back({at, INT64_MAX, exposed_from_});
}

const Faults::Cut* Faults::Excuse(int64_t invoked, int64_t known) const {
  const auto cut = std::find_if(cuts_.begin(), cuts_.end(),
                                [&](const Cut& one) { return invoked <= one.end && known >= one.lost_from; });
  return cut == cuts_.end() ? nullptr : &*cut;
}

std::string Faults::Overlapping(int64_t begin, int64_t end, int64_t origin) const {
  constexpr size_t kNamed = 4;
  std::string text;
  size_t found = 0;
  for (const Action& action : actions_) {
    if (action.begin > end || action.end < begin || action.what == "scan") continue;
    if (++found <= kNamed)
      text += core::StrCat(found == 1 ? "" : ", ", action.what, " at ", Seconds(action.begin, origin));
  }
  if (found > kNamed) text += core::StrCat(" and ", found - kNamed, " more");
  return text;
}

}  // namespace history
