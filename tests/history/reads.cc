#include "tests/history/reads.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/strings.h"

namespace history {

void Reads::Invoke(OpenOperation& open) {
  const Queue& queue = context_.ledger.QueueOf(open.queue);
  open.acked_before = queue.highest_acked;
  open.top_before = queue.top;
  if (open.group == kNoName) open.scan_round = context_.faults.scan_round();
}

void Reads::Complete(const Event& event, const OpenOperation& open) {
  Queue& queue = context_.ledger.QueueOf(open.queue);
  int64_t highest = kAbsent;
  for (const Message& message : event.messages) {
    Observe(message, event, open);
    highest = std::max(highest, message.offset);
  }
  if (open.role == Role::kMaster) {
    if (event.min != kAbsent) queue.min = std::max(queue.min, event.min);
    if (event.max != kAbsent && open.invoked >= queue.max_at) {
      queue.max = event.max;
      queue.max_at = open.invoked;
    }
    const bool crashed_meanwhile = context_.faults.last_crash() >= open.invoked;
    if (event.max != kAbsent && event.max <= open.acked_before && !open.waits && !crashed_meanwhile &&
        open.scan_round == 0) {
      context_.Flag(
          {.kind = Kind::kStaleRead,
           .queue = open.queue,
           .offset = open.acked_before,
           .ops = {open.op},
           .begin = open.invoked,
           .end = event.t,
           .why = core::StrCat("offset ", open.acked_before,
                               " was acknowledged before this pull began, and it was told that the queue ends at ",
                               event.max)});
    }
    if (event.max != kAbsent && event.max < open.top_before) {
      queue.truncations.push_back({open.invoked, event.t, event.max});
      if (queue.top == open.top_before) queue.top = event.max;
    }
  }
  queue.top = std::max(queue.top, highest + 1);
  if (!open.filtered && highest >= 0) NoteTop(queue, open.invoked, highest);
  if (!open.filtered && open.from != kAbsent && (highest >= 0 || event.next != kAbsent)) {
    queue.lowest_from = std::min(queue.lowest_from, open.from);
  }
  if (open.scan_round > 0) NoteRange(queue, event, open);
}

void Reads::NoteTop(Queue& queue, int64_t invoked, int64_t top) {
  while (!queue.tops.empty() && queue.tops.back().second <= top && queue.tops.back().first <= invoked)
    queue.tops.pop_back();
  queue.tops.emplace_back(invoked, top);
}

void Reads::NoteRange(Queue& queue, const Event& event, const OpenOperation& open) {
  ScannedRange& range = open.role == Role::kSlave ? queue.slave : queue.master;
  if (range.round != open.scan_round) range = {.round = open.scan_round};
  const int64_t first = open.from != kAbsent || event.messages.empty() ? open.from : event.messages.front().offset;
  const int64_t end = event.next != kAbsent    ? event.next
                      : event.messages.empty() ? open.from
                                               : event.messages.back().offset + 1;
  if (first != kAbsent) range.begin = range.begin == kAbsent ? first : std::min(range.begin, first);
  range.end = std::max(range.end, end);
  range.min = std::max(range.min, event.min);
  range.max = std::max(range.max, event.max);
  range.at = event.t;
  range.by = open.op;
}

void Reads::Observe(const Message& message, const Event& event, const OpenOperation& open) {
  Ledger& ledger = context_.ledger;
  const uint32_t id = message.value.empty() ? kNoName : ledger.value_names.Find(message.value);
  if (id == kNoName) {
    const uint64_t print = std::hash<std::string>()(core::StrCat(message.value, "@", open.queue, ":", message.offset));
    if (open.scan_round > 0) ledger.strangers.insert({open.queue, message.offset});
    if (!phantoms_.insert(print).second) return;
    const bool unreadable = message.value.empty();
    context_.Flag({.kind = unreadable ? Kind::kCorrupt : Kind::kPhantom,
                   .queue = open.queue,
                   .offset = message.offset,
                   .ops = {open.op},
                   .begin = open.invoked,
                   .end = event.t,
                   .why = unreadable ? "these are bytes that nobody sent"
                                     : core::StrCat("nobody had begun to send ", message.value)});
    return;
  }
  Value& value = ledger.values[id];
  if (value.outcome == Outcome::kRefused && value.places == 0) {
    FlagRead(Kind::kResurrected, value, id, message, open, "its send had been refused");
  }
  if (value.unplaced) CheckUnplaced(value, id, message, open);
  if (value.queue != kNoName && value.queue != open.queue && !value.moved && !value.unplaced) {
    value.moved = true;
    FlagRead(Kind::kMoved, value, id, message, open, "it was sent to queue " + ledger.queue_names.TextOf(value.queue));
  }
  CheckHash(value, id, message, open);
  bool fresh = false;
  Sighting& sighting = ledger.SightingOf(open.queue, message.offset, id, fresh);
  if (fresh) {
    sighting.known = event.t;
    sighting.asked = open.invoked;
    sighting.by = open.op;
  } else if (open.role == Role::kMaster) {
    CheckTruncation(ledger.QueueOf(open.queue), sighting, message, open);
  }
  if (!sighting.seen) {
    sighting.seen = true;
    ++value.places;
  }
  value.last_queue = open.queue;
  value.last_offset = message.offset;
  if (open.scan_round == 0) return;
  const bool of_slave = open.role == Role::kSlave;
  if (of_slave) {
    sighting.slave_round = open.scan_round;
  } else {
    sighting.scan_round = value.scan_round = open.scan_round;
  }
  if (message.phy == kAbsent) return;
  if (sighting.phy != kAbsent && sighting.phy != message.phy && sighting.slave_round == open.scan_round) {
    context_.Flag(
        {.kind = Kind::kReplicaMismatch,
         .queue = open.queue,
         .offset = message.offset,
         .value = id,
         .ops = {value.op, open.op},
         .begin = open.invoked,
         .end = event.t,
         .why = core::StrCat("it lies at physical offset ", of_slave ? sighting.phy : message.phy,
                             " of the master and at ", of_slave ? message.phy : sighting.phy, " of a slave")});
  }
  if (!of_slave || sighting.phy == kAbsent) sighting.phy = message.phy;
}

void Reads::CheckUnplaced(const Value& value, uint32_t id, const Message& message, const OpenOperation& open) {
  Unplaced& unplaced = context_.ledger.unplaced[id];
  const int64_t now = context_.now;
  Finding finding{.kind = Kind::kEarly,
                  .queue = open.queue,
                  .offset = message.offset,
                  .value = id,
                  .ops = {value.op, open.op},
                  .begin = value.invoked,
                  .end = now,
                  .why = ""};
  if (unplaced.due != kAbsent && value.places == 0) {
    finding.why = core::StrCat("it was due at ", context_.TimeOf(unplaced.due), " and seen at ", context_.TimeOf(now));
    if (now < unplaced.due) {
      context_.Flag(finding);
    } else if (now > unplaced.due + context_.options.late && !unplaced.judged_late) {
      finding.kind = Kind::kLate;
      finding.severity = Severity::kReported;
      context_.Flag(finding);
    }
    unplaced.judged_late = true;
  }
  if (!unplaced.transactional || value.queue != open.queue || value.places > 0) return;
  if (unplaced.rolled_back) {
    finding.kind = Kind::kResurrected;
    finding.why = "its transaction had been rolled back";
    context_.Flag(finding);
  } else if (unplaced.commit_invoked == kAbsent) {
    finding.kind = Kind::kHalfVisible;
    finding.why = "nobody had begun to commit its transaction";
    context_.Flag(finding);
  }
}

void Reads::CheckHash(Value& value, uint32_t id, const Message& message, const OpenOperation& open) {
  if (value.corrupt || value.hash == 0 || message.hash == 0 || value.hash == message.hash) return;
  value.corrupt = true;
  FlagRead(Kind::kCorrupt, value, id, message, open, "its content is not what was sent");
}

void Reads::FlagRead(Kind kind, const Value& value, uint32_t id, const Message& message, const OpenOperation& open,
                     std::string why) {
  context_.Flag({.kind = kind,
                 .queue = open.queue,
                 .offset = message.offset,
                 .value = id,
                 .ops = {value.op, open.op},
                 .begin = value.invoked,
                 .end = context_.now,
                 .why = std::move(why)});
}

void Reads::CheckTruncation(const Queue& queue, Sighting& sighting, const Message& message, const OpenOperation& open) {
  for (const Queue::Truncation& cut : queue.truncations) {
    if (sighting.known >= cut.begun || message.offset < cut.end || open.invoked < cut.answered) continue;
    context_.Flag({.kind = Kind::kResurrected,
                   .queue = open.queue,
                   .offset = message.offset,
                   .value = sighting.value,
                   .ops = {sighting.by, open.op},
                   .begin = sighting.known,
                   .end = context_.now,
                   .why = core::StrCat("at ", context_.TimeOf(cut.answered), " the queue ended at ", cut.end,
                                       ", and now it is there again")});
    sighting.known = context_.now;
    return;
  }
}

}  // namespace history
