#include "store/due_record.h"

#include <charconv>

#include "store/bytes.h"
#include "store/properties.h"

namespace store {

void ClearDueLink(std::span<std::byte> record) {
  const absl::StatusOr<RecordView> view = ParseRecord(record);
  if (!view.ok() || !IsDueLink(view->prepared_transaction_offset)) return;
  // In front of the body, and that of its length.
  constexpr size_t kBodyLengthBytes = 4;
  std::byte* const body = record.data() + (view->body.data() - record.data());
  StoreBig<int64_t>(body - kBodyLengthBytes - sizeof(int64_t), 0);
}

DueEvent ReadDueEvent(const ReplayedRecord& replayed) {
  const RecordView& record = replayed.view;
  DueEvent event;
  if (!IsDueLink(record.prepared_transaction_offset)) return event;
  // A message that was committed and now waits for its time replaces a half message, which is not in this index.
  const bool of_half = (record.prepared_transaction_offset & kHalfLink) != 0;
  event.replaced = of_half ? 0 : PositionInDueLink(record.prepared_transaction_offset);
  if (record.topic != kDueTopic) {
    if (event.replaced != 0) event.kind = DueEvent::Kind::kDelivered;
    return event;
  }
  bool timed = false;
  bool takes_back = false;
  ForEachProperty(record.properties, [&](std::string_view name, std::string_view value) {
    if (name == kPropertyTakesBack) takes_back = true;
    if (name != kPropertyDueTime) return;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), event.due);
    timed = error == std::errc() && end == value.data() + value.size();
  });
  if (timed) event.kind = takes_back ? DueEvent::Kind::kTakenBack : DueEvent::Kind::kWaits;
  if (event.kind == DueEvent::Kind::kTakenBack && event.replaced == 0) event.kind = DueEvent::Kind::kNone;
  return event;
}

}  // namespace store
