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
  Life& life = lives_.try_emplace(std::string(event.client)).first->second;
  if (what == "start") {
    if (!of_master) return true;
    life.began = event.t;
    if (life.disk_failed_at < event.t) life.disk_failed_at = INT64_MAX;  // what was there at the start is flushed again
    return true;
  }
  ++disturbances_;
  healed_at_ = kAbsent;
  if (!of_master) return true;
  if (what == "flip" && damages_ != kUnlimited) ++damages_;
  if (what == "damage") damages_ = kUnlimited;
  if (what == "disk-error" || what == "no-space") life.disk_failed_at = std::min(life.disk_failed_at, event.t);
  if (what == "stop") life.exposed_from = INT64_MAX;  // a clean stop flushes
  if (what == "kill" || what == "cut") {
    last_crash_ = event.t;
    End(life, event.t, what == "cut");
    if (what == "cut" && event.phase != Phase::kInvoke) cuts_.back().end = event.t;
  }
  return true;
}

void Faults::End(Life& life, int64_t at, bool power) {
  // A process that died unflushed and whose successor did not live long has nothing flushed of what both left behind.
  const bool short_life = life.began > at - window_;
  life.exposed_from = std::min(at - window_, short_life ? life.exposed_from : INT64_MAX);
  // Since a flush failed nothing was flushed any more: a cut however much later takes what was not by then.
  if (life.disk_failed_at != INT64_MAX) life.exposed_from = std::min(life.exposed_from, life.disk_failed_at - window_);
  if (power) cuts_.push_back({at, INT64_MAX, life.exposed_from});
}

const Faults::Cut* Faults::Excuse(int64_t invoked, int64_t known) const {
  const auto cut = std::find_if(cuts_.begin(), cuts_.end(),
                                [&](const Cut& one) { return invoked <= one.end && known >= one.lost_from; });
  return cut == cuts_.end() ? nullptr : &*cut;
}

bool Faults::CutBetween(int64_t from, int64_t to) const {
  return std::any_of(cuts_.begin(), cuts_.end(), [&](const Cut& one) { return one.end > from && one.begin < to; });
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
