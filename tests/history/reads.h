#pragma once

#include <cstdint>

#include "absl/container/flat_hash_set.h"
#include "tests/history/context.h"

namespace history {

/// What answers to pulls say about places, whoever pulled.
class Reads {
 public:
  explicit Reads(Context& context) : context_(context) {}

  void Invoke(OpenOperation& open);
  void Complete(const Event& event, const OpenOperation& open);

 private:
  void Observe(const Message& message, const Event& event, const OpenOperation& open);
  void CheckUnplaced(const Value& value, uint32_t id, const Message& message, const OpenOperation& open);
  void CheckHash(Value& value, uint32_t id, const Message& message, const OpenOperation& open);
  /// A fatal anomaly of `value` as `open` has read it.
  void FlagRead(Kind kind, const Value& value, uint32_t id, const Message& message, const OpenOperation& open,
                std::string why);
  void CheckTruncation(const Queue& queue, Sighting& sighting, const Message& message, const OpenOperation& open);
  void NoteRange(Queue& queue, const Event& event, const OpenOperation& open);
  void NoteTop(Queue& queue, int64_t invoked, int64_t top);

  Context& context_;
  absl::flat_hash_set<uint64_t> phantoms_;  // hashes of what was reported: name and place
};

}  // namespace history
