#include <algorithm>
#include <vector>

#include "core/strings.h"
#include "tests/history/verdict.h"

namespace history {
namespace {

/// A sweep by time that keeps the highest offset acknowledged so far. `acks` are in the order of their completion.
void JudgeQueue(Context& context, uint32_t queue, const std::vector<uint32_t>& completed) {
  const std::vector<Value>& values = context.ledger.values;
  std::vector<uint32_t> invoked = completed;
  std::sort(invoked.begin(), invoked.end(),
            [&](uint32_t a, uint32_t b) { return std::pair(values[a].invoked, a) < std::pair(values[b].invoked, b); });
  absl::flat_hash_map<OpRef, uint32_t> by_worker;  // the highest of each worker's own
  uint32_t highest = kNoName;
  size_t done = 0;
  for (const uint32_t id : invoked) {
    const Value& value = values[id];
    for (; done < completed.size() && values[completed[done]].completed < value.invoked; ++done) {
      const uint32_t other = completed[done];
      if (highest == kNoName || values[other].offset > values[highest].offset) highest = other;
      uint32_t& own = by_worker.try_emplace(values[other].op >> 40, other).first->second;
      if (values[other].offset > values[own].offset) own = other;
    }
    if (highest == kNoName || values[highest].offset <= value.offset) continue;  // two at one offset are DIVERGENT
    const auto own = by_worker.find(value.op >> 40);
    const bool by_itself = own != by_worker.end() && values[own->second].offset > value.offset;
    const Value& before = values[by_itself ? own->second : highest];
    context.Flag({.kind = by_itself ? Kind::kReorderProc : Kind::kReorderRealtime,
                  .queue = queue,
                  .offset = value.offset,
                  .value = id,
                  .ops = {before.op, value.op},
                  .begin = before.completed,
                  .end = value.completed,
                  .why = core::StrCat("its send began at ", context.TimeOf(value.invoked), ", after ",
                                      context.ledger.NameOf(before), " had been acknowledged at ",
                                      context.TimeOf(before.completed), " as offset ", before.offset)});
  }
}

}  // namespace

void JudgeOrder(Context& context) {
  for (uint32_t id = 0; id < context.ledger.queues.size(); ++id) {
    std::vector<uint32_t> acks;
    acks.reserve(context.ledger.queues[id].acks.size());
    for (const Ack& ack : context.ledger.queues[id].acks) {
      const Value& value = context.ledger.values[ack.value];
      if (!value.gone && !value.moved) acks.push_back(ack.value);
    }
    JudgeQueue(context, id, acks);
  }
}

}  // namespace history
