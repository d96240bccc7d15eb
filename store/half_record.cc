#include "store/half_record.h"

namespace store {

DueEvent ReadHalfEvent(const ReplayedRecord& record) {
  DueEvent event;
  const int64_t link = record.view.prepared_transaction_offset;
  if (!IsHalfLink(link)) return event;
  const uint64_t ended = PositionInDueLink(link);
  if (ended != 0) {
    event.kind = DueEvent::Kind::kTakenBack;
    event.replaced = ended;
    event.due = static_cast<core::WallMillis>(ended);
  } else if (record.view.topic == kHalfTopic) {
    event.kind = DueEvent::Kind::kWaits;
    event.due = static_cast<core::WallMillis>(record.ref.position);
  }
  return event;
}

}  // namespace store
