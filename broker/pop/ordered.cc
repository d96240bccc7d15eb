#include "broker/pop/ordered.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "broker/row_text.h"
#include "core/strings.h"

namespace broker {
namespace {

constexpr core::WallMillis kNever = std::numeric_limits<core::WallMillis>::max();

}  // namespace

OrderedBatch OrderedBatch::After(const std::optional<OrderedBatch>& before, std::string_view attempt_id,
                                 core::WallMillis pop_time, int64_t invisible, int64_t from,
                                 const std::vector<int64_t>& offsets) {
  OrderedBatch batch;
  if (before.has_value()) batch = *before;
  std::erase_if(batch.messages, [from](const Message& message) { return message.offset < from; });
  for (Message& message : batch.messages) message.visible = 0;
  const bool same_attempt = before.has_value() && !attempt_id.empty() && before->attempt_id == attempt_id;
  batch.attempt_id = attempt_id;
  batch.pop_time = pop_time;
  for (const int64_t offset : offsets) {
    const auto at = std::lower_bound(batch.messages.begin(), batch.messages.end(), offset,
                                     [](const Message& message, int64_t value) { return message.offset < value; });
    Message popped;
    popped.offset = offset;
    popped.visible = invisible > kNever - pop_time ? kNever : pop_time + invisible;
    if (at == batch.messages.end() || at->offset != offset) {
      batch.messages.insert(at, popped);
    } else {
      popped.times = at->times + (same_attempt ? 0 : 1);
      *at = popped;
    }
  }
  return batch;
}

core::WallMillis OrderedBatch::BlockedUntil() const {
  core::WallMillis until = std::numeric_limits<core::WallMillis>::min();
  for (const Message& message : messages) {
    if (!message.acknowledged) until = std::max(until, message.visible);
  }
  return until;
}

bool OrderedBatch::Blocks(std::string_view attempt, core::WallMillis now) const {
  if (!attempt.empty() && attempt == attempt_id) return false;
  return now < BlockedUntil();
}

OrderedBatch::Message* OrderedBatch::Find(int64_t offset) {
  const auto it =
      std::find_if(messages.begin(), messages.end(), [offset](const Message& m) { return m.offset == offset; });
  return it == messages.end() ? nullptr : &*it;
}

bool OrderedBatch::IsAcknowledged(int64_t offset) const {
  return std::any_of(messages.begin(), messages.end(),
                     [offset](const Message& m) { return m.offset == offset && m.acknowledged; });
}

int64_t OrderedBatch::NextOffset() const {
  for (const Message& message : messages) {
    if (!message.acknowledged) return message.offset;
  }
  return messages.empty() ? 0 : messages.back().offset + 1;
}

bool OrderedBatch::done() const {
  return std::all_of(messages.begin(), messages.end(), [](const Message& m) { return m.acknowledged; });
}

// pop time, then for each message offset:acknowledged:visible:times with a comma in between, then the attempt, with a blank in between.
std::string OrderedBatch::Text() const {
  std::string text = absl::StrCat(pop_time, " ");
  for (const Message& message : messages) {
    absl::StrAppend(&text, text.back() == ' ' ? "" : ",", message.offset, ":", message.acknowledged ? 1 : 0, ":",
                    message.visible, ":", message.times);
  }
  absl::StrAppend(&text, " ", attempt_id);
  return text;
}

std::optional<OrderedBatch> OrderedBatch::Parse(std::string_view text) {
  OrderedBatch batch;
  if (!ParseWhole(CutAt(text, ' '), batch.pop_time)) return std::nullopt;
  std::string_view list = CutAt(text, ' ');
  batch.attempt_id = text;
  while (!list.empty()) {
    std::string_view one = CutAt(list, ',');
    Message message;
    int32_t acknowledged = 0;
    if (!ParseWhole(CutAt(one, ':'), message.offset) || !ParseWhole(CutAt(one, ':'), acknowledged) ||
        !ParseWhole(CutAt(one, ':'), message.visible) || !ParseWhole(one, message.times)) {
      return std::nullopt;
    }
    if (!batch.messages.empty() && batch.messages.back().offset >= message.offset) return std::nullopt;
    message.acknowledged = acknowledged == 1;
    batch.messages.push_back(message);
  }
  if (batch.messages.empty() || batch.messages.front().offset < 0) return std::nullopt;
  return batch;
}

}  // namespace broker
