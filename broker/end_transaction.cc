#include "broker/end_transaction.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker/transactions.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/name_rules.h"
#include "store/record.h"

namespace broker {
namespace {

constexpr absl::Duration kLogPause = absl::Seconds(1);

}  // namespace

core::Task<net::Reply> EndTransactionHandlers::End(net::RequestContext context, net::EndTransactionRequest request) {
  const bool commit = request.commit_or_rollback == net::kCommitTransaction;
  if (!commit && request.commit_or_rollback != net::kRollbackTransaction) co_return net::Reply::None();
  const core::PhysicalOffset position(request.commit_log_offset);
  const uint32_t log = store::LogNumberOf(position);
  std::optional<SendRefusal> refusal;
  if (request.commit_log_offset < 0 || log >= shard_.placement().shards()) {
    refusal = SendRefusal{net::ResponseCode::kSystemError,
                          core::StrCat("Find prepared transaction message failed: no message is at commitLogOffset ", request.commit_log_offset)};
  } else {
    EndOfTransaction end;
    end.position = store::LogPositionOf(position);
    end.queue_offset = request.tran_state_table_offset;
    end.group = std::string(request.producer_group);
    end.commit = commit;
    end.from_check = request.from_transaction_check.value_or(false);
    end.user = context.user();
    end.peer = context.connection.peer();
    refusal = co_await shard_.peers().On(
        core::ShardId(log), [](BrokerShard& there, EndOfTransaction ended) { return there.transactions().End(std::move(ended)); },
        std::move(end));
  }
  if (!refusal.has_value()) co_return net::Reply(net::ResponseCode::kSuccess);
  // Clients do not wait for an answer: who looks for a message finds it here. Not every one: a peer must not fill the disk with them.
  ++refused_;
  if (const core::MonoTime now = core::Reactor::Current().now(); now >= quiet_until_) {
    quiet_until_ = now + kLogPause;
    core::LogWarning("a transaction of ", net::Quoted(request.producer_group), ", message ", net::Quoted(request.msg_id), ", from ", context.connection.peer_text(),
                     ", was not ", commit ? "committed: " : "rolled back: ", net::Quoted(refusal->remark, 300), " (", refused_, " such since the start)");
  }
  co_return net::Reply(refusal->code, std::move(refusal->remark));
}

void RegisterEndTransactionHandlers(BrokerShard& shard) {
  EndTransactionHandlers& handlers = shard.Adopt(std::make_unique<EndTransactionHandlers>(shard));
  shard.On(handlers, &EndTransactionHandlers::End);
}

}  // namespace broker
