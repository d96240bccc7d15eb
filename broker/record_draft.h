#pragma once

#include <cstdint>

#include "store/message.h"
#include "store/record.h"

namespace broker {

/// One try more; a client can send any number.
inline int32_t NextReconsumeTimes(int32_t times) { return times < INT32_MAX ? times + 1 : times; }

/// A draft of the message of a record, to be stored once more: everything but the tag's hash. Points into the record's bytes.
inline store::MessageDraft DraftOf(const store::RecordView& record) {
  store::MessageDraft draft;
  draft.topic = record.topic;
  draft.queue_id = record.queue_id;
  draft.flag = record.flag;
  draft.sys_flag = record.sys_flag;
  draft.born_timestamp = record.born_timestamp;
  draft.born_host = record.born_host;
  draft.store_host = record.store_host;
  draft.reconsume_times = record.reconsume_times;
  draft.body = record.body;
  draft.properties = record.properties;
  return draft;
}

}  // namespace broker
