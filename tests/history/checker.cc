#include "tests/history/checker.h"

#include <utility>

#include "core/strings.h"
#include "tests/history/verdict.h"

namespace history {
namespace {

absl::Status Bad(std::string text) { return absl::InvalidArgumentError(text); }

}  // namespace

absl::Status Checker::Add(const Event& event) {
  if (event.t < context_.now) return Bad("its time lies before that of the event before");
  if (event.op >= kOpsMax) return Bad("\"op\" is too high");
  if (context_.ledger.workers.size() >= kWorkersMax) return Bad("too many workers");
  const bool single =
      event.function == Function::kNemesis || event.function == Function::kFlush || event.function == Function::kAssign;
  if (event.op == kAbsent && !single) return Bad("an operation without \"op\"");
  if (context_.report.events++ == 0) context_.report.begin = event.t;
  context_.now = event.t;
  liveness_.Look(event.t, open_.size() - held_);
  const OpRef op =
      context_.ledger.RefOf(context_.ledger.workers.IdOf(event.worker), event.op == kAbsent ? 0 : event.op);
  if (single) return Single(event, op);
  if (event.phase == Phase::kInvoke) return Begin(event, op);
  const auto found = open_.find(op);
  if (found == open_.end()) return Bad("the end of an operation that has not begun, or has ended");
  if (found->second.function != event.function) return Bad("the operation began as another function");
  const OpenOperation open = found->second;
  open_.erase(found);
  held_ -= open.waits ? 1 : 0;
  if (event.phase == Phase::kOk) liveness_.Succeeded(event.t);
  return End(event, open);
}

absl::Status Checker::Name(const Event& event, OpenOperation& open) {
  Ledger& ledger = context_.ledger;
  open.worker = ledger.workers.IdOf(event.worker);
  if (!event.queue.empty()) {
    open.queue = ledger.queue_names.IdOf(event.queue);
    ledger.QueueOf(open.queue);
  }
  if (!event.group.empty()) open.group = ledger.groups.IdOf(event.group);
  open.client = ledger.clients.IdOf(event.client.empty() ? event.worker : event.client);
  const bool reads = event.function == Function::kPull;
  const bool consumes =
      event.function == Function::kCommit || event.function == Function::kLock || event.function == Function::kUnlock;
  if ((reads || consumes) && open.queue == kNoName) return Bad("\"k\" is missing");
  if (consumes && open.group == kNoName) return Bad("\"g\" is missing");
  return absl::OkStatus();
}

absl::Status Checker::Begin(const Event& event, OpRef op) {
  OpenOperation open;
  open.function = event.function;
  open.invoked = event.t;
  open.op = op;
  open.from = event.from;
  open.offset = event.offset;
  open.role = event.role;
  open.waits = event.wait_ms > 0;
  open.filtered = event.filtered;
  open.redelivery = event.redelivery;
  const absl::Status named = Name(event, open);
  if (!named.ok()) return named;
  if (open_.contains(op)) return Bad("an operation of this number is under way");
  switch (event.function) {
    case Function::kSend: {
      const absl::Status sent = sends_.Invoke(event, open);
      if (!sent.ok()) return sent;
      break;
    }
    case Function::kPull:
      reads_.Invoke(open);
      consumers_.InvokePull(event, open);
      break;
    case Function::kCommit:
      if (event.offset == kAbsent) return Bad("a commit without \"off\"");
      consumers_.InvokeCommit(event, open);
      break;
    case Function::kUnlock:
      locks_.InvokeUnlock(open);
      break;
    case Function::kEndTx:
      if (event.value.empty() ||
          (event.transaction != Transaction::kCommit && event.transaction != Transaction::kRollback)) {
        return Bad("an endTx without \"v\", or whose \"tx\" is neither \"commit\" nor \"rollback\"");
      }
      sends_.InvokeEndTx(event, open);
      break;
    default:
      break;
  }
  ++context_.report.operations;
  held_ += open.waits ? 1 : 0;
  open_.emplace(op, open);
  return absl::OkStatus();
}

absl::Status Checker::End(const Event& event, OpenOperation open) {
  switch (event.function) {
    case Function::kSend:
      return sends_.Complete(event, open);
    case Function::kPull:
      if (event.role != Role::kMaster) open.role = event.role;
      if (event.phase == Phase::kOk) reads_.Complete(event, open);
      consumers_.CompletePull(event, open);
      break;
    case Function::kCommit:
      consumers_.CompleteCommit(event, open);
      break;
    case Function::kLock:
      locks_.CompleteLock(event, open);
      break;
    case Function::kAck:
      consumers_.CompleteAck(event, open);
      break;
    case Function::kEndTx:
      sends_.CompleteEndTx(event, open);
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

absl::Status Checker::Single(const Event& event, OpRef op) {
  if (event.function == Function::kFlush) {
    sends_.Flushed(event);
    return absl::OkStatus();
  }
  if (event.function == Function::kNemesis) {
    return TakeNemesis(event);
  }
  if (event.phase != Phase::kOk) return absl::OkStatus();  // only what was assigned counts
  OpenOperation open;
  open.invoked = event.t;
  open.op = op;
  const absl::Status named = Name(event, open);
  if (!named.ok()) return named;
  consumers_.Assign(event, open);
  return absl::OkStatus();
}

absl::Status Checker::TakeNemesis(const Event& event) {
  const int64_t crash = context_.faults.last_crash();
  if (!context_.faults.Add(event)) return Bad("a nemesis that neither says what it does in \"v\" nor ends anything");
  if (context_.faults.last_crash() == crash) return absl::OkStatus();
  consumers_.Crashed();
  if (event.value == "cut") sends_.ForgetExposed();
  return absl::OkStatus();
}

Report Checker::Finish() {
  JudgePlaces(context_);
  JudgeOrder(context_);
  consumers_.Finish();
  for (Anomaly& anomaly : context_.report.anomalies()) {
    anomaly.faults = context_.faults.Overlapping(anomaly.begin, anomaly.end, context_.report.begin);
  }
  return std::move(context_.report);
}

}  // namespace history
