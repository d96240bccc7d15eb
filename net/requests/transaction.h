#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3 EndTransactionRequestHeader, MessageSysFlag.

namespace net {

/// What a producer says of its transaction; nothing that is neither of them counts.
inline constexpr int32_t kCommitTransaction = 8;
inline constexpr int32_t kRollbackTransaction = 12;

/// A producer ends a transaction, by itself or because it was asked (CheckTransactionStateRequest). Oneway in all clients.
struct EndTransactionRequest {
  static constexpr RequestCode kCode = RequestCode::kEndTransaction;
  std::optional<std::string_view> topic;
  std::string_view producer_group;
  int64_t tran_state_table_offset = 0;  // the half message's number in its queue, and
  int64_t commit_log_offset = 0;        // where it lies
  int32_t commit_or_rollback = 0;
  std::optional<bool> from_transaction_check;
  std::string_view msg_id;
  std::optional<std::string_view> transaction_id;
  static constexpr auto kFields =
      std::tuple(Optional("topic", &EndTransactionRequest::topic), Required("producerGroup", &EndTransactionRequest::producer_group),
                 Required("tranStateTableOffset", &EndTransactionRequest::tran_state_table_offset),
                 Required("commitLogOffset", &EndTransactionRequest::commit_log_offset),
                 Required("commitOrRollback", &EndTransactionRequest::commit_or_rollback),
                 Optional("fromTransactionCheck", &EndTransactionRequest::from_transaction_check),
                 Required("msgId", &EndTransactionRequest::msg_id),
                 Optional("transactionId", &EndTransactionRequest::transaction_id));
};

/// An administrator wants a transaction that was put aside to be asked for again.
struct ResumeCheckHalfMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kResumeCheckHalfMessage;
  std::optional<std::string_view> topic;
  std::optional<std::string_view> msg_id;
  static constexpr auto kFields = std::tuple(Optional("topic", &ResumeCheckHalfMessageRequest::topic),
                                             Optional("msgId", &ResumeCheckHalfMessageRequest::msg_id));
};

}  // namespace net
