#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "tests/history/context.h"

namespace history {

/// Sends, transactions and the flush trace: what was promised, and whether it was promised too early.
class Sends {
 public:
  explicit Sends(Context& context) : context_(context) {}

  absl::Status Invoke(const Event& event, OpenOperation& open);
  absl::Status Complete(const Event& event, const OpenOperation& open);
  void InvokeEndTx(const Event& event, OpenOperation& open);
  void CompleteEndTx(const Event& event, const OpenOperation& open);
  void Flushed(const Event& event);
  /// A power cut began: what it may take is no floor for reads any more.
  void ForgetExposed();

 private:
  void Acknowledge(const Event& event, const OpenOperation& open, Value& value);
  void CheckDurable(const Value& value, uint32_t id);
  /// A fatal anomaly that the send of `value` shows, at a place of a queue.
  void FlagSend(Kind kind, const Value& value, uint32_t id, uint32_t queue, int64_t offset, std::string why);

  /// How far one log is durable on the master and on slaves; kAbsent: no trace.
  struct Durable {
    int64_t master = kAbsent;
    int64_t slave = kAbsent;
  };
  Context& context_;
  absl::flat_hash_map<int64_t, Durable> durable_;  // by log
};

/// What RocketMQ's response code to a send proves: kOk, kFail (the message must never appear), or nothing.
Phase PhaseOfSend(int64_t code);

/// The log of a physical offset: RingMQ keeps its number in the upper 16 bits, RocketMQ has one log.
constexpr int64_t LogOf(int64_t phy) { return phy >> 48; }

}  // namespace history
