#include "tests/sim/history.h"

#include <algorithm>

#include "core/strings.h"

namespace sim {
namespace {

std::string Place(int32_t queue, int64_t offset) { return core::StrCat("queue ", queue, " offset ", offset); }
std::string Name(std::string_view body) { return std::string(body.substr(0, body.find('|'))); }

}  // namespace

History::Attempt& History::Begin(int worker, int32_t queue, size_t bytes, absl::Duration now) {
  std::string body = core::StrCat("message ", worker, ".", ++next_, "|");
  while (body.size() < bytes) body.push_back(static_cast<char>('a' + (body.size() * 7 + next_) % 26));
  Attempt& attempt = attempts_[body];
  attempt.body = std::move(body);
  attempt.queue = queue;
  attempt.worker = worker;
  attempt.invoked = now;
  return attempt;
}

void History::Complete(Attempt& attempt, Outcome outcome, int64_t offset, absl::Duration now) {
  attempt.outcome = outcome;
  attempt.offset = offset;
  attempt.completed = now;
  if (outcome == Outcome::kOk) ++acknowledged_;
}

void History::Observe(int32_t queue, int64_t offset, std::string_view body, std::string_view where) {
  const auto attempt = attempts_.find(body);
  if (attempt == attempts_.end()) {
    Problem(core::StrCat("PHANTOM or CORRUPT: ", where, " saw at ", Place(queue, offset), " ", body.size(), " bytes that nobody sent: ",
                         body.substr(0, 40)));
    return;
  }
  if (attempt->second.queue != queue) Problem(core::StrCat("MOVED: ", Name(body), " was sent to another queue than ", queue));
  if (attempt->second.outcome == Outcome::kRefused) Problem(core::StrCat("RESURRECTED: ", Name(body), " had been refused"));
  if (places_may_change_) return;
  const auto [seen, fresh] = seen_.try_emplace({queue, offset}, body);
  if (!fresh && seen->second != body) {
    Problem(core::StrCat("DIVERGENT: at ", Place(queue, offset), " ", where, " saw ", Name(body), ", before it was ", Name(seen->second)));
  }
}

void History::CheckScan(const Scan& scanned, const std::vector<Cut>& cuts) {
  Places places;
  std::map<int32_t, int64_t> next;
  for (const auto& [place, body] : scanned) {
    const auto& [queue, offset] = place;
    if (offset != next[queue]) Problem(core::StrCat("HOLE: ", Place(queue, next[queue]), " is missing"));
    next[queue] = offset + 1;
    Observe(queue, offset, body, "the last scan");
    const auto [first, fresh] = places.try_emplace(body, offset);
    if (!fresh) Problem(core::StrCat("DUPLICATE: ", Name(body), " at ", Place(queue, first->second), " and ", offset));
  }
  for (const auto& [body, attempt] : attempts_) {
    if (attempt.outcome != Outcome::kOk) continue;
    const auto found = places.find(body);
    if (found == places.end()) {
      CheckLoss(attempt, places, cuts);
    } else if (found->second != attempt.offset) {
      Problem(core::StrCat("MOVED: ", Name(body), " was acknowledged at ", Place(attempt.queue, attempt.offset), " and is at ",
                           found->second));
    }
  }
  CheckOrder(places);
}

void History::CheckLoss(const Attempt& lost, const Places& places, const std::vector<Cut>& cuts) {
  const std::string what = core::StrCat(Name(lost.body), ", acknowledged at ", absl::FormatDuration(lost.completed), " as ",
                                        Place(lost.queue, lost.offset));
  // The answer may still have been under way when the power went.
  const auto cut = std::find_if(cuts.begin(), cuts.end(), [&](const Cut& one) {
    return lost.invoked <= one.at && lost.completed >= one.lost_from;
  });
  if (cut == cuts.end()) {
    Problem("LOST: " + what);
    return;
  }
  // What a cut takes is a suffix: nothing that was in the queue behind it may have survived.
  for (const auto& [body, other] : attempts_) {
    if (other.outcome == Outcome::kOk && other.queue == lost.queue && other.offset > lost.offset && other.completed <= cut->at &&
        places.contains(body)) {
      Problem(core::StrCat("HOLE: ", what, " is gone and ", Name(body), " at offset ", other.offset, " behind it survived"));
      return;
    }
  }
}

void History::CheckOrder(const Places& places) {
  // A message acknowledged before another one of its queue was begun has the lower offset, whoever sent them.
  std::map<int32_t, std::vector<const Attempt*>> by_queue;
  for (const auto& [body, attempt] : attempts_) {
    // What was lost within its promise gave its offset back.
    if (attempt.outcome == Outcome::kOk && places.contains(body)) by_queue[attempt.queue].push_back(&attempt);
  }
  for (auto& [queue, attempts] : by_queue) {
    std::vector<const Attempt*> completed = attempts;
    std::sort(attempts.begin(), attempts.end(), [](const Attempt* a, const Attempt* b) { return a->invoked < b->invoked; });
    std::sort(completed.begin(), completed.end(), [](const Attempt* a, const Attempt* b) { return a->completed < b->completed; });
    size_t done = 0;
    const Attempt* highest = nullptr;
    for (const Attempt* attempt : attempts) {
      while (done < completed.size() && completed[done]->completed < attempt->invoked) {
        if (highest == nullptr || completed[done]->offset > highest->offset) highest = completed[done];
        ++done;
      }
      if (highest != nullptr && highest->offset >= attempt->offset) {
        Problem(core::StrCat("REORDERED: ", Name(attempt->body), " was sent after ", Name(highest->body), " had been acknowledged at ",
                             Place(queue, highest->offset), " and has ", attempt->offset));
      }
    }
  }
}

}  // namespace sim
