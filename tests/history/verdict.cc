#include "tests/history/verdict.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/strings.h"
#include "tests/history/sends.h"

namespace history {
namespace {

/// What of the acknowledged survived a power cut although it must have been behind what did not.
struct Survivors {
  absl::flat_hash_map<uint32_t, uint32_t> by_queue;  // the value with the highest offset
  absl::flat_hash_map<int64_t, uint32_t> by_log;     // the value with the highest physical offset
};

class Places {
 public:
  explicit Places(Context& context) : context_(context), ledger_(context.ledger), round_(context.faults.scan_round()) {}

  void Judge() {
    for (uint32_t id = 0; id < ledger_.queues.size(); ++id) CheckScan(id);
    for (const Value& value : ledger_.values) JudgeValue(value);
    for (uint32_t id = 0; id < ledger_.queues.size(); ++id) CheckHoles(id);
    ReportDamaged();
    CheckDivergent();
    for (uint32_t id = 0; id < ledger_.queues.size(); ++id) CheckReplica(id);
  }

 private:
  Value& Mutable(const Value& value) { return ledger_.values[ledger_.IdOf(value)]; }
  bool Scanned(const ScannedRange& range) const { return round_ > 0 && range.round == round_; }

  void CheckScan(uint32_t id) {
    const Queue& queue = ledger_.queues[id];
    if (round_ == 0) return;
    Finding finding{.kind = Kind::kScanIncomplete,
                    .queue = id,
                    .ops = {},
                    .begin = queue.master.at,
                    .end = queue.master.at,
                    .why = ""};
    if (!Scanned(queue.master) && !Scanned(queue.slave)) {
      if (queue.acks.empty()) return;
      finding.why =
          core::StrCat(queue.acks.size(), " messages were acknowledged and nobody scanned this queue at the end");
      context_.Flag(finding);
      return;
    }
    for (const ScannedRange* range : {&queue.master, &queue.slave}) {
      if (!Scanned(*range) || (range->end >= range->max && range->begin <= range->min)) continue;
      finding.ops = {range->by};
      finding.offset = range->end;
      finding.begin = finding.end = range->at;
      finding.why = core::StrCat("the last scan read from ", range->begin, " to ", range->end, " of ", range->min,
                                 " to ", range->max);
      context_.Flag(finding);
    }
  }

  void JudgeValue(const Value& value) {
    const uint32_t id = ledger_.IdOf(value);
    if (value.places > value.attempts && !value.moved) {
      context_.Flag({.kind = Kind::kDuplicate,
                     .queue = value.last_queue,
                     .offset = value.last_offset,
                     .value = id,
                     .ops = {value.op},
                     .begin = value.invoked,
                     .end = context_.now,
                     .why = core::StrCat("it was seen at ", value.places, " places, this one last, and sent at most ",
                                         static_cast<int>(value.attempts), " times")});
    }
    if (value.unplaced) {
      JudgeUnplaced(value, id);
    } else if (value.outcome == Outcome::kOk) {
      JudgeAcknowledged(value, id);
    }
  }

  void JudgeAcknowledged(const Value& value, uint32_t id) {
    const Queue& queue = ledger_.queues[value.queue];
    const Sighting* sighting = ledger_.FindSighting(value.queue, value.offset, id);
    if (Scanned(queue.slave) && value.copies > 1 && value.offset >= queue.slave.end &&
        queue.slave.end >= queue.slave.max) {
      FlagLost(value, id, "the slave ends before it");
    }
    if (!Scanned(queue.master)) {
      if (!Scanned(queue.slave) && value.places == 0 && round_ == 0) JudgeUnscanned(queue, value, id);
      return;
    }
    if (sighting != nullptr && sighting->scan_round == round_) return;
    if (value.scan_round == round_) {
      if (value.moved) return;
      Mutable(value).moved = true;
      context_.Flag({.kind = Kind::kMoved,
                     .queue = value.queue,
                     .offset = value.offset,
                     .value = id,
                     .ops = {value.op},
                     .begin = value.invoked,
                     .end = context_.now,
                     .why = "the last scan met it at " + context_.PlaceOf(value.last_queue, value.last_offset)});
      return;
    }
    if (value.offset < queue.master.min && !context_.options.keeps_all) return;           // expired
    if (value.offset >= queue.master.end && queue.master.end < queue.master.max) return;  // not read
    JudgeLoss(Kind::kLost, value, id, "it is not in the last scan");
  }

  /// Without a scan: a poll that began after the acknowledgement and went beyond it must have met it.
  void JudgeUnscanned(const Queue& queue, const Value& value, uint32_t id) {
    if (value.offset < queue.lowest_from || (value.offset < queue.min && !context_.options.keeps_all)) return;
    const auto later = std::find_if(queue.tops.begin(), queue.tops.end(),
                                    [&](const auto& top) { return top.first > value.completed; });
    if (later == queue.tops.end() || later->second < value.offset) return;
    JudgeLoss(Kind::kLostVisible, value, id,
              core::StrCat("a later poll saw offset ", later->second, " and nobody ever saw this one"));
  }

  /// A committed transaction, or a delayed message whose time has come, is somewhere in its queue.
  void JudgeUnplaced(const Value& value, uint32_t id) {
    if (value.outcome != Outcome::kOk || value.queue == kNoName || value.queue >= ledger_.queues.size()) return;
    const Queue& queue = ledger_.queues[value.queue];
    if (!Scanned(queue.master) || value.scan_round == round_) return;
    const Unplaced& unplaced = ledger_.unplaced[id];
    if (unplaced.transactional && unplaced.commit_ok == kAbsent) return;
    if (unplaced.due != kAbsent && queue.master.at <= unplaced.due + context_.options.late) return;
    JudgeLoss(Kind::kLost, value, id,
              unplaced.transactional ? "it was committed and is not in the last scan"
                                     : "it was due and is not in the last scan");
  }

  void JudgeLoss(Kind kind, const Value& value, uint32_t id, const std::string& what) {
    int64_t known = value.completed;
    const Sighting* sighting = value.offset == kAbsent ? nullptr : ledger_.FindSighting(value.queue, value.offset, id);
    if (sighting != nullptr) known = std::min(known, sighting->known);
    const Faults::Cut* cut = value.asynchronous ? context_.faults.Excuse(value.invoked, known) : nullptr;
    if (cut != nullptr) {
      const uint32_t behind = Behind(*cut, value);
      if (behind == kNoName) {
        Mutable(value).gone = true;
        return;
      }
      const Value& survivor = ledger_.values[behind];
      Flag(kind, value, id, {value.op, survivor.op},
           core::StrCat(what, "; the power cut at ", context_.TimeOf(cut->begin),
                        " may have taken it, but not without ", ledger_.value_names.TextOf(behind), " behind it at ",
                        context_.PlaceOf(survivor.queue, survivor.offset)));
      return;
    }
    if (context_.faults.damages() > 0) {
      damaged_.push_back({kind, value.queue, value.offset, id, what});
      return;
    }
    const bool cuts = !context_.faults.cuts().empty();
    Flag(kind, value, id, {value.op},
         core::StrCat(what, "; acknowledged at ", context_.TimeOf(value.completed), ", ",
                      value.asynchronous ? cuts ? "too long before any power cut" : "and no power was cut"
                                         : "as stored for good"));
  }

  void Flag(Kind kind, const Value& value, uint32_t id, std::vector<OpRef> ops, std::string why,
            Severity severity = Severity::kFatal) {
    context_.Flag({.kind = kind,
                   .severity = severity,
                   .queue = value.queue,
                   .offset = value.offset,
                   .value = id,
                   .ops = std::move(ops),
                   .begin = value.invoked,
                   .end = context_.now,
                   .why = std::move(why)});
  }
  void FlagLost(const Value& value, uint32_t id, std::string why) {
    Flag(Kind::kLost, value, id, {value.op}, std::move(why));
  }

  /// A value that survived `cut` and lies behind `lost`; kNoName: none.
  uint32_t Behind(const Faults::Cut& cut, const Value& lost) {
    const auto [entry, fresh] = survivors_.try_emplace(cut.begin);
    Survivors& survivors = entry->second;
    if (fresh) CollectSurvivors(cut, survivors);
    const auto in_queue = survivors.by_queue.find(lost.queue);
    if (in_queue != survivors.by_queue.end() && ledger_.values[in_queue->second].offset > lost.offset)
      return in_queue->second;
    const auto in_log = lost.phy == kAbsent ? survivors.by_log.end() : survivors.by_log.find(LogOf(lost.phy));
    if (in_log != survivors.by_log.end() && ledger_.values[in_log->second].phy > lost.phy) return in_log->second;
    return kNoName;
  }

  void CollectSurvivors(const Faults::Cut& cut, Survivors& survivors) {
    for (const Value& value : ledger_.values) {
      if (value.outcome != Outcome::kOk || value.unplaced || value.completed > cut.begin || value.places == 0) continue;
      const Sighting* sighting = ledger_.FindSighting(value.queue, value.offset, ledger_.IdOf(value));
      if (sighting == nullptr || !sighting->seen || (round_ > 0 && sighting->scan_round != round_)) continue;
      const uint32_t id = ledger_.IdOf(value);
      uint32_t& in_queue = survivors.by_queue.try_emplace(value.queue, id).first->second;
      if (ledger_.values[in_queue].offset < value.offset) in_queue = id;
      if (value.phy == kAbsent) continue;
      uint32_t& in_log = survivors.by_log.try_emplace(LogOf(value.phy), id).first->second;
      if (ledger_.values[in_log].phy < value.phy) in_log = id;
    }
  }

  /// Offsets of the last scan are dense. Where an acknowledged message is missing or a stranger is, that has been judged.
  void CheckHoles(uint32_t id) {
    constexpr int64_t kLookedAt = 10'000;
    const Queue& queue = ledger_.queues[id];
    if (!Scanned(queue.master)) return;
    int64_t expected = context_.options.keeps_all ? 0 : std::max<int64_t>(queue.master.min, 0);
    const auto gap = [&](int64_t end) {
      for (; expected < end && end - expected <= kLookedAt; ++expected) {
        if (!AcknowledgedAt(id, expected) && !ledger_.strangers.contains({id, expected})) break;
      }
      if (expected >= end) return;
      const std::string why = end - expected == 1
                                  ? "it is missing in the last scan"
                                  : core::StrCat("the offsets up to ", end - 1, " are missing in the last scan");
      if (context_.faults.damages() > 0) {
        damaged_.push_back({Kind::kHole, id, expected, kNoName, why});
      } else {
        context_.Flag({.kind = Kind::kHole,
                       .queue = id,
                       .offset = expected,
                       .ops = {queue.master.by},
                       .begin = context_.report.begin,
                       .end = queue.master.at,
                       .why = why});
      }
    };
    for (const auto& [number, page] : queue.Pages()) {
      for (int64_t i = 0; i < Queue::kPageOffsets; ++i) {
        const int64_t offset = number * Queue::kPageOffsets + i;
        if (!InScan(id, offset, (*page)[static_cast<size_t>(i)]) || offset < expected) continue;
        gap(offset);
        expected = offset + 1;
      }
    }
    gap(queue.master.end);
  }

  bool InScan(uint32_t queue, int64_t offset, const Sighting& first) const {
    if (first.value == kNoName) return false;
    if (first.scan_round == round_) return true;
    const auto further = ledger_.others.find({queue, offset});
    return further != ledger_.others.end() &&
           std::any_of(further->second.begin(), further->second.end(),
                       [this](const Sighting& one) { return one.scan_round == round_; });
  }

  bool AcknowledgedAt(uint32_t queue, int64_t offset) const {
    const Sighting* first = ledger_.queues[queue].Find(offset);
    if (first == nullptr) return false;
    const Value& value = ledger_.values[first->value];
    return value.outcome == Outcome::kOk && value.queue == queue && value.offset == offset && !value.moved;
  }

  /// Each flipped bit may cost one record; what is beyond that is lost.
  void ReportDamaged() {
    const Severity severity = damaged_.size() <= context_.faults.damages() ? Severity::kReported : Severity::kFatal;
    for (const Damaged& one : damaged_) {
      const int64_t begin = one.value == kNoName ? context_.report.begin : ledger_.values[one.value].invoked;
      Finding finding{.kind = one.kind,
                      .severity = severity,
                      .queue = one.queue,
                      .offset = one.offset,
                      .value = one.value,
                      .ops = {},
                      .begin = begin,
                      .end = context_.now,
                      .why = ""};
      if (one.value != kNoName) finding.ops.push_back(ledger_.values[one.value].op);
      finding.why = core::StrCat(one.what, "; ", damaged_.size(), " records missing, and damage was done ",
                                 context_.faults.damages() == Faults::kUnlimited
                                     ? "without a limit"
                                     : core::StrCat("to ", context_.faults.damages()));
      context_.Flag(finding);
    }
  }

  void CheckDivergent() {
    std::vector<Ledger::Place> places;
    for (const auto& [place, further] : ledger_.others) places.push_back(place);
    std::sort(places.begin(), places.end(), [](const Ledger::Place& a, const Ledger::Place& b) {
      return std::pair(a.queue, a.offset) < std::pair(b.queue, b.offset);
    });
    for (const Ledger::Place& place : places) CheckDivergentAt(place);
  }

  /// What a power cut took within its promise gave its offset back, to who came after it.
  bool GaveItsPlace(const Sighting& one, int64_t other_known) {
    const Value& value = ledger_.values[one.value];
    const Faults::Cut* cut = value.asynchronous ? context_.faults.Excuse(value.invoked, one.known) : nullptr;
    const bool scanned = round_ > 0 && one.scan_round == round_;
    return cut != nullptr && cut->begin < other_known && !scanned;
  }

  void CheckDivergentAt(const Ledger::Place& place) {
    std::vector<Sighting> all = ledger_.others[place];
    all.push_back(ledger_.queues[place.queue].FirstAt(place.offset));
    // The claim of a message that moved has been judged.
    std::erase_if(all, [this](const Sighting& one) { return !one.seen && ledger_.values[one.value].moved; });
    std::sort(all.begin(), all.end(), [](const Sighting& a, const Sighting& b) {
      return std::pair(a.known, a.value) < std::pair(b.known, b.value);
    });
    for (size_t i = 1; i < all.size(); ++i) {
      if (GaveItsPlace(all[i - 1], all[i].known)) continue;
      // An answer that was under way for long may speak of what was there before a cut, and the other value came after it.
      if (GaveItsPlace(all[i], all[i - 1].known) && context_.faults.CutBetween(all[i].asked, all[i - 1].known)) continue;
      context_.Flag({.kind = Kind::kDivergent,
                     .queue = place.queue,
                     .offset = place.offset,
                     .value = all[i].value,
                     .ops = {all[i - 1].by, all[i].by},
                     .begin = all[i - 1].known,
                     .end = all[i].known,
                     .why = core::StrCat("until ", context_.TimeOf(all[i].known), " it was the place of ",
                                         ledger_.value_names.TextOf(all[i - 1].value))});
    }
  }

  /// Within what a slave has, it has what the master has.
  void CheckReplica(uint32_t id) {
    const Queue& queue = ledger_.queues[id];
    if (!Scanned(queue.master) || !Scanned(queue.slave)) return;
    const int64_t begin = std::max(queue.master.begin, queue.slave.begin);
    const int64_t end = std::min(queue.master.end, queue.slave.end);
    for (const auto& [number, page] : queue.Pages()) {
      for (int64_t i = 0; i < Queue::kPageOffsets; ++i) {
        const Sighting& one = (*page)[static_cast<size_t>(i)];
        const int64_t offset = number * Queue::kPageOffsets + i;
        if (one.value == kNoName || offset < begin || offset >= end) continue;
        const bool at_master = one.scan_round == round_;
        const bool at_slave = one.slave_round == round_;
        if (at_master == at_slave || ledger_.others.contains({id, offset})) continue;
        context_.Flag({.kind = Kind::kReplicaMismatch,
                       .queue = id,
                       .offset = offset,
                       .value = one.value,
                       .ops = {queue.master.by, queue.slave.by},
                       .begin = one.known,
                       .end = queue.slave.at,
                       .why = at_master ? "the master has it and the slave, which has more, does not"
                                        : "the slave has it and the master, which has more, does not"});
      }
    }
  }

  struct Damaged {
    Kind kind;
    uint32_t queue;
    int64_t offset;
    uint32_t value;
    std::string what;
  };
  Context& context_;
  Ledger& ledger_;
  const uint16_t round_;                    // of the last scan; 0: there was none
  std::map<int64_t, Survivors> survivors_;  // by the time of the cut
  std::vector<Damaged> damaged_;
};

}  // namespace

void JudgePlaces(Context& context) { Places(context).Judge(); }

}  // namespace history
