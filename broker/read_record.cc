#include "broker/read_record.h"

#include <utility>

#include "broker/message_properties.h"
#include "broker/system_topics.h"
#include "core/strings.h"
#include "store/record.h"

namespace broker {
namespace {

using ForeignRecord = core::Foreign<core::Slice>;

core::Task<absl::StatusOr<ForeignRecord>> ReadHere(BrokerShard& here, core::PhysicalOffset position) {
  absl::StatusOr<core::Slice> record = co_await here.store().ReadRecord(position);
  if (!record.ok()) co_return record.status();
  co_return ForeignRecord(*std::move(record));
}

}  // namespace

core::Task<absl::StatusOr<ForeignRecord>> ReadRecordAnywhere(BrokerShard& shard, int64_t offset) {
  const core::PhysicalOffset position(offset);
  const uint32_t log = store::LogNumberOf(position);
  if (offset < 0 || log >= shard.placement().shards())
    co_return absl::NotFoundError(core::StrCat("no message at physical offset ", offset));
  co_return co_await shard.peers().On(
      core::ShardId(log), [](BrokerShard& there, core::PhysicalOffset at) { return ReadHere(there, at); }, position);
}

std::string_view OwnTopicOf(const store::RecordView& record) {
  std::string_view topic = record.topic;
  if (!HoldsWaitingMessages(topic)) return topic;
  ForEachProperty(record.properties, [&](std::string_view name, std::string_view value) {
    if (name == kPropertyRealTopic) topic = value;
  });
  return topic;
}

}  // namespace broker
