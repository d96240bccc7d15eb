#include "tests/history/sends.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/strings.h"

namespace history {
namespace {

/// A harness may always claim less than the code proves, and write info.
absl::Status CheckCode(const Event& event) {
  if (event.code == kAbsent || event.phase == Phase::kInfo || event.phase == PhaseOfSend(event.code))
    return absl::OkStatus();
  const auto word = [](Phase phase) {
    return phase == Phase::kOk ? "\"ok\"" : phase == Phase::kFail ? "\"fail\"" : "\"info\"";
  };
  return absl::InvalidArgumentError(
      core::StrCat("code ", event.code, " makes a send ", word(PhaseOfSend(event.code)), ", not ", word(event.phase)));
}

}  // namespace

Phase PhaseOfSend(int64_t code) {
  if (code == 0) return Phase::kOk;
  // SYSTEM_BUSY, MESSAGE_ILLEGAL, SERVICE_NOT_AVAILABLE, NO_PERMISSION, TOPIC_NOT_EXIST, SUBSCRIPTION_NOT_EXIST
  const bool refused = code == 2 || code == 13 || code == 14 || code == 16 || code == 17 || code == 24;
  return refused ? Phase::kFail : Phase::kInfo;
}

absl::Status Sends::Invoke(const Event& event, OpenOperation& open) {
  Ledger& ledger = context_.ledger;
  if (event.value.empty()) return absl::InvalidArgumentError("a send without \"v\"");
  bool fresh = false;
  open.value = ledger.value_names.IdOf(event.value, fresh);
  if (!fresh)
    return absl::InvalidArgumentError(core::StrCat("value ", event.value, " was sent before: it belongs to one send"));
  Value& value = ledger.values.emplace_back();
  value.invoked = event.t;
  value.op = open.op;
  value.hash = event.hash;
  value.queue = open.queue;
  value.asynchronous = event.asynchronous;
  value.copies = static_cast<uint8_t>(std::min<int64_t>(event.copies, UINT8_MAX));
  value.attempts = static_cast<uint8_t>(std::min<int64_t>(event.attempts, UINT8_MAX));
  if (event.due != kAbsent || event.transaction == Transaction::kHalf) {
    value.unplaced = true;
    Unplaced& unplaced = ledger.unplaced[open.value];
    unplaced.due = event.due;
    unplaced.transactional = event.transaction == Transaction::kHalf;
  }
  return absl::OkStatus();
}

absl::Status Sends::Complete(const Event& event, const OpenOperation& open) {
  const absl::Status code = CheckCode(event);
  if (!code.ok()) return code;
  Value& value = context_.ledger.values[open.value];
  value.completed = event.t;
  if (event.asynchronous) value.asynchronous = true;
  if (event.phase == Phase::kInfo) {
    value.outcome = Outcome::kUnknown;
    return absl::OkStatus();
  }
  if (event.phase == Phase::kFail) {
    value.outcome = Outcome::kRefused;
    if (value.places > 0) {
      FlagSend(Kind::kResurrected, value, open.value, value.last_queue, value.last_offset, "it was seen, and then refused");
    }
    return absl::OkStatus();
  }
  if (!event.queue.empty()) {
    const uint32_t queue = context_.ledger.queue_names.IdOf(event.queue);
    if (value.queue != kNoName && value.queue != queue) {
      FlagSend(Kind::kMoved, value, open.value, queue, event.offset,
               "it was sent to " + context_.ledger.queue_names.TextOf(value.queue) + " and acknowledged for another queue");
    }
    value.queue = queue;
  }
  if (value.queue == kNoName) return absl::InvalidArgumentError("neither this nor its invocation has \"k\"");
  if (event.offset == kAbsent && !value.unplaced)
    return absl::InvalidArgumentError("an acknowledged send without \"off\"");
  Acknowledge(event, open, value);
  return absl::OkStatus();
}

void Sends::Acknowledge(const Event& event, const OpenOperation& open, Value& value) {
  value.outcome = Outcome::kOk;
  value.phy = event.phy;
  if (value.phy != kAbsent && !value.asynchronous) CheckDurable(value, open.value);
  if (value.unplaced) return;
  value.offset = event.offset;
  bool fresh = false;
  Sighting& sighting = context_.ledger.SightingOf(value.queue, value.offset, open.value, fresh);
  if (fresh) {
    sighting.known = event.t;
    sighting.asked = open.invoked;
    sighting.by = open.op;
  }
  Queue& queue = context_.ledger.QueueOf(value.queue);
  // An answer that a power cut overtook may speak of what is gone.
  const std::vector<Faults::Cut>& cuts = context_.faults.cuts();
  const bool exposed = value.asynchronous && !cuts.empty() && value.invoked <= cuts.back().begin;
  if (!exposed) queue.highest_acked = std::max(queue.highest_acked, value.offset);
  queue.top = std::max(queue.top, value.offset + 1);
  queue.acks.push_back({open.value, queue.highest_acked});
}

void Sends::CheckDurable(const Value& value, uint32_t id) {
  const auto durable = durable_.find(LogOf(value.phy));
  if (durable == durable_.end()) return;
  const auto check = [&](int64_t end, const char* where) {
    if (end == kAbsent || value.phy < end) return;
    FlagSend(Kind::kAckBeforeDurable, value, id, value.queue, value.offset,
             core::StrCat("acknowledged at ", context_.TimeOf(context_.now), " as physical offset ", value.phy, " when the ", where,
                          " had flushed up to ", end));
  };
  check(durable->second.master, "master");
  if (value.copies > 1) check(durable->second.slave, "slave");
}

void Sends::FlagSend(Kind kind, const Value& value, uint32_t id, uint32_t queue, int64_t offset, std::string why) {
  context_.Flag({.kind = kind,
                 .queue = queue,
                 .offset = offset,
                 .value = id,
                 .ops = {value.op},
                 .begin = value.invoked,
                 .end = context_.now,
                 .why = std::move(why)});
}

void Sends::Flushed(const Event& event) {
  if (event.phy == kAbsent) return;
  // The trace names the end: the log is that of the last byte below it.
  Durable& durable = durable_[LogOf(std::max<int64_t>(event.phy - 1, 0))];
  int64_t& end = event.role == Role::kMaster ? durable.master : durable.slave;
  end = std::max(end, event.phy);
}

void Sends::InvokeEndTx(const Event& event, OpenOperation& open) {
  open.value = context_.ledger.value_names.Find(event.value);
  open.transaction = event.transaction;
  if (open.value == kNoName) return;
  context_.ledger.values[open.value].unplaced = true;
  Unplaced& unplaced = context_.ledger.unplaced[open.value];
  unplaced.transactional = true;
  if (event.transaction == Transaction::kCommit && unplaced.commit_invoked == kAbsent)
    unplaced.commit_invoked = event.t;
}

void Sends::CompleteEndTx(const Event& event, const OpenOperation& open) {
  if (open.value == kNoName || event.phase != Phase::kOk) return;
  Unplaced& unplaced = context_.ledger.unplaced[open.value];
  if (open.transaction == Transaction::kCommit) unplaced.commit_ok = event.t;
  if (open.transaction == Transaction::kRollback) unplaced.rolled_back = true;
}

void Sends::ForgetExposed() {
  if (context_.faults.cuts().empty()) return;
  const Faults::Cut& cut = context_.faults.cuts().back();
  for (Queue& queue : context_.ledger.queues) {
    int64_t kept = kAbsent;
    auto exposed = queue.acks.end();
    while (exposed != queue.acks.begin()) {
      const auto ack = std::prev(exposed);
      if (context_.ledger.values[ack->value].completed < cut.lost_from) {
        kept = ack->highest;
        break;
      }
      exposed = ack;
    }
    // For the next cut, too, what may be gone is not what was safe before it.
    for (; exposed != queue.acks.end(); ++exposed) {
      const Value& value = context_.ledger.values[exposed->value];
      if (!value.asynchronous) kept = std::max(kept, value.offset);
      exposed->highest = kept;
    }
    queue.highest_acked = kept;
  }
}

}  // namespace history
