#include "tests/history/consumers.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_format.h"
#include "core/strings.h"

namespace history {
namespace {

// PullCode. Source: RocketMQ 5.3.3 ResponseCode.
constexpr int64_t kFound = 0;
constexpr int64_t kOffsetMoved = 21;

}  // namespace

void Consumers::FlagSkip(const OpenOperation& open, int64_t expected, int64_t got, OpRef before,
                         const std::string& why) {
  // Damage is skipped on purpose: the lost records themselves are judged by the last scan.
  const bool damaged = got > expected && context_.faults.damages() > 0;
  Finding finding{.kind = got > expected ? Kind::kPollSkip : Kind::kNonmonotonic,
                  .severity = damaged ? Severity::kReported : Severity::kFatal,
                  .queue = open.queue,
                  .offset = expected,
                  .ops = {},
                  .begin = open.invoked,
                  .end = context_.now,
                  .why = why};
  if (before != 0) finding.ops.push_back(before);
  finding.ops.push_back(open.op);
  context_.Flag(finding);
}

void Consumers::InvokePull(const Event& event, const OpenOperation& open) {
  if (event.from == kAbsent || event.filtered || open.group == kNoName) return;
  Position& position = positions_[{open.worker, open.queue}];
  if (position.next != kAbsent && position.next != event.from) {
    FlagSkip(
        open, position.next, event.from, position.by,
        core::StrCat("the last answer said to go on at ", position.next, ", and this pull begins at ", event.from));
  }
  position = {event.from, open.op};
}

void Consumers::CompletePull(const Event& event, const OpenOperation& open) {
  if (event.phase != Phase::kOk) {
    if (open.group != kNoName) ++GroupOf(open.group).disturbances;
    return;
  }
  if (open.group == kNoName) return;
  if (open.from != kAbsent && !open.filtered) CheckContinuity(event, open);
  for (const Message& message : event.messages) Deliver(message, event, open);
  Share& share = shares_[{open.group, open.queue}];
  share.filtered |= open.filtered;
  if (open.from == kAbsent || event.next == kAbsent) return;
  share.first_from = std::min(share.first_from, open.from);
  share.next = event.next;
  share.at = event.t;
  share.by = open.op;
  // How long the next message had been there when this pull began.
  const Sighting* waiting = open.filtered ? nullptr : context_.ledger.QueueOf(open.queue).Find(event.next);
  const int64_t lag = waiting == nullptr ? 0 : open.invoked - waiting->known;
  if (lag > share.lag) {
    share.lag = lag;
    share.lag_at = event.t;
    share.lag_by = open.op;
  }
}

void Consumers::CheckContinuity(const Event& event, const OpenOperation& open) {
  int64_t expected = open.from;
  const bool inside =
      (event.min == kAbsent || open.from >= event.min) && (event.max == kAbsent || open.from <= event.max);
  const bool may_move = event.code == kOffsetMoved && !inside;
  // What lies below the minimum has expired.
  if (event.min != kAbsent && open.from < event.min && (!event.messages.empty() || may_move)) expected = event.min;
  for (const Message& message : event.messages) {
    if (message.offset != expected) {
      FlagSkip(open, expected, message.offset, 0,
               core::StrCat("offset ", message.offset, " came where ", expected, " was due"));
    }
    expected = message.offset + 1;
  }
  if (event.next == kAbsent) {
    positions_[{open.worker, open.queue}] = {expected, open.op};
    return;
  }
  positions_[{open.worker, open.queue}] = {event.next, open.op};
  if (event.next == expected || may_move || (event.code > kFound && !inside)) return;
  FlagSkip(open, expected, event.next, 0,
           core::StrCat("the answer went up to ", expected, ", and says to go on at ", event.next));
}

void Consumers::Deliver(const Message& message, const Event& event, const OpenOperation& open) {
  const uint32_t id = context_.ledger.value_names.Find(message.value);
  if (id == kNoName) return;
  Group& group = GroupOf(open.group);
  if (group.delivered.size() <= id) group.delivered.resize(context_.ledger.values.size());
  const uint32_t epoch = 1 + group.disturbances + context_.faults.disturbances();
  const bool again = group.delivered[id] == epoch;
  group.delivered[id] = epoch;
  ++group.deliveries;
  if (!again || open.redelivery || event.redelivery || message.reconsume_times > 0) return;
  if (group.unexplained++ == 0) {
    group.first_unexplained = open.op;
    group.first_value = id;
    group.first_at = open.invoked;
  }
  group.last_at = event.t;
}

void Consumers::InvokeCommit(const Event& event, const OpenOperation& open) {
  Share& share = shares_[{open.group, open.queue}];
  share.highest_commit = std::max(share.highest_commit, event.offset);
}

void Consumers::Age(Share& share) const {
  size_t aged = 0;
  while (aged < share.recent.size() && share.recent[aged].at < context_.now - context_.options.persist_interval) ++aged;
  if (aged == 0) return;
  share.old = share.recent[aged - 1];
  share.recent.erase(share.recent.begin(), share.recent.begin() + static_cast<std::ptrdiff_t>(aged));
}

void Consumers::CompleteCommit(const Event& event, const OpenOperation& open) {
  if (event.phase != Phase::kOk) {
    ++GroupOf(open.group).disturbances;
    return;
  }
  Share& share = shares_[{open.group, open.queue}];
  Age(share);
  share.last = {event.t, open.offset, open.op};
  share.crashed = open.invoked <= context_.faults.last_crash();  // a crash overtook the answer
  if (share.crashed) return;  // and with it, perhaps, the commit: time does not make it safe
  // Of many commits within the interval the last in each thousandth of it is enough.
  if (!share.recent.empty() && event.t - share.recent.back().at < context_.options.persist_interval / 1000 &&
      share.recent.size() > 1) {
    share.recent.back() = share.last;
  } else {
    share.recent.push_back(share.last);
  }
}

void Consumers::Crashed() {
  for (auto& [id, share] : shares_) {
    if (share.crashed) continue;
    Age(share);
    share.crashed = true;
    share.recent.clear();
  }
}

void Consumers::CompleteAck(const Event& event, const OpenOperation& open) {
  if (event.phase != Phase::kOk && open.group != kNoName) ++GroupOf(open.group).disturbances;
}

void Consumers::Assign(const Event& event, const OpenOperation& open) {
  if (open.group != kNoName) ++GroupOf(open.group).disturbances;
  if (open.queue == kNoName) {
    for (auto& [id, position] : positions_) {
      if (id.first == open.worker) position.next = kAbsent;
    }
    return;
  }
  positions_[{open.worker, open.queue}].next = event.from;
  if (open.group != kNoName && event.from != kAbsent) CheckResume(event, open, shares_[{open.group, open.queue}]);
}

void Consumers::CheckResume(const Event& event, const OpenOperation& open, Share& share) {
  if (share.highest_commit != kAbsent && event.from > share.highest_commit && event.from > share.next) {
    context_.Flag({.kind = Kind::kPollSkip,
                   .queue = open.queue,
                   .offset = share.highest_commit,
                   .ops = {open.op},
                   .begin = share.at,
                   .end = event.t,
                   .why = core::StrCat("the group goes on at ", event.from, ", and nobody committed more than ",
                                       share.highest_commit)});
  }
  if (share.last.op == 0 || event.from >= share.last.offset) return;
  const bool fatal = !share.crashed || (share.old.op != 0 && event.from < share.old.offset);
  const Commit& commit = share.crashed && fatal ? share.old : share.last;
  context_.Flag({.kind = Kind::kOffsetRegress,
                 .severity = fatal ? Severity::kFatal : Severity::kReported,
                 .queue = open.queue,
                 .offset = event.from,
                 .ops = {commit.op, open.op},
                 .begin = commit.at,
                 .end = event.t,
                 .why = core::StrCat("offset ", commit.offset, " was committed at ", context_.TimeOf(commit.at), ", ",
                                     share.crashed ? fatal ? "longer before the crash than the persist interval"
                                                           : "shortly before a crash"
                                                   : "there was no crash",
                                     ", and the group goes on at ", event.from)});
}

void Consumers::Finish() {
  for (size_t id = 0; id < groups_.size(); ++id) {
    const Group& group = groups_[id];
    if (group.unexplained == 0) continue;
    context_.Flag({.kind = Kind::kOverDelivery,
                   .severity = Severity::kReported,
                   .value = group.first_value,
                   .ops = {group.first_unexplained},
                   .begin = group.first_at,
                   .end = group.last_at,
                   .why = absl::StrFormat(
                       "group %s got %d of %d deliveries (%.3f %%) again without a cause, this one first",
                       context_.ledger.groups.TextOf(static_cast<uint32_t>(id)), group.unexplained, group.deliveries,
                       100.0 * static_cast<double>(group.unexplained) / static_cast<double>(group.deliveries))});
  }
  std::vector<Id> ids;
  for (const auto& [id, share] : shares_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const Id& id : ids) {
    const Share& share = shares_[id];
    if (share.lag > context_.options.lag) {
      context_.Flag({.kind = Kind::kLag,
                     .severity = Severity::kReported,
                     .queue = id.second,
                     .ops = {share.lag_by},
                     .begin = share.lag_at - share.lag,
                     .end = share.lag_at,
                     .why = core::StrCat("group ", context_.ledger.groups.TextOf(id.first), " was ",
                                         Seconds(share.lag, 0), " behind")});
    }
    CheckUnseen(id.first, id.second, share);
  }
}

void Consumers::CheckUnseen(uint32_t group_id, uint32_t queue_id, const Share& share) {
  const Queue& queue = context_.ledger.QueueOf(queue_id);
  if (share.filtered || share.next == kAbsent || share.next < queue.max || share.next <= queue.highest_acked)
    return;  // not caught up
  const Group& group = GroupOf(group_id);
  for (const Ack& ack : queue.acks) {
    const Value& value = context_.ledger.values[ack.value];
    if (value.gone || value.moved || value.offset < std::max(share.first_from, queue.min) || value.offset >= share.next)
      continue;
    if (ack.value < group.delivered.size() && group.delivered[ack.value] != 0) continue;
    if (context_.ledger.others.contains({queue_id, value.offset}))
      continue;  // the group may have met the other one; judged as DIVERGENT
    const bool scanned = queue.master.round != 0 && queue.master.round == context_.faults.scan_round();
    if (scanned && value.scan_round != queue.master.round) continue;  // lost, and said to be
    context_.Flag({.kind = Kind::kUnseen,
                   .queue = queue_id,
                   .offset = value.offset,
                   .value = ack.value,
                   .ops = {value.op, share.by},
                   .begin = value.invoked,
                   .end = share.at,
                   .why = core::StrCat("group ", context_.ledger.groups.TextOf(group_id), " read from ",
                                       share.first_from, " to the end at ", share.next, " and never got it")});
  }
}

}  // namespace history
