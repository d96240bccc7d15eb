#pragma once

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "broker/message_maker.h"
#include "core/time.h"
#include "store/record.h"

namespace broker {

// Source of names and values: RocketMQ 5.3.3 MessageConst, TransactionalMessageUtil, MessageSysFlag.
inline constexpr std::string_view kPropertyProducerGroup = "PGROUP";
inline constexpr std::string_view kPropertyTransactionId = "__transactionId__";
inline constexpr std::string_view kPropertyCheckImmunity = "CHECK_IMMUNITY_TIME_IN_SECONDS";
inline constexpr std::string_view kPropertyCheckTimes = "TRANSACTION_CHECK_TIMES";
inline constexpr int32_t kSysFlagTransaction = 0xC;  // both bits
inline constexpr int32_t kSysFlagCommitted = 0x8;

/// Turns a message that is ready for its queue into one for Transactions: REAL_TOPIC and REAL_QID say where it belongs, PGROUP who is asked about it.
void MakeHalf(std::string_view producer_group, PreparedMessage& message);

/// What a half message's record says of its message. Points into the record.
struct HalfMessage {
  std::string_view topic;
  int32_t queue_id = -1;
  std::string_view group;
  std::string_view tags;
  std::string_view uniq_key;
  std::string_view immunity;  // CHECK_IMMUNITY_TIME_IN_SECONDS as it stands

  explicit HalfMessage(const store::RecordView& record);
  bool ok() const { return !topic.empty() && queue_id >= 0; }
  /// How long its producer is not asked, from when it was stored: what it wants, or `timeout`. Source: RocketMQ 5.3.3
  /// TransactionalMessageServiceImpl.getImmunityTime.
  absl::Duration Immunity(absl::Duration timeout) const;
};

}  // namespace broker
