#include "broker/shard_metrics.h"

#include "broker/access/access_control.h"
#include "broker/broker_shard.h"
#include "broker/broker_stats.h"
#include "broker/pop/pops.h"
#include "broker/schedule.h"
#include "broker/transactions.h"
#include "core/reactor.h"
#include "store/shard_store.h"

namespace broker {
namespace {

template <typename T>
double Number(T value) {
  return static_cast<double>(value);
}

void WriteStore(const store::StoreStats& stats, core::MetricSink& sink) {
  sink.Gauge("ringmq_log_begin_bytes", "Log position of the oldest message kept.", Number(stats.log_begin));
  sink.Gauge("ringmq_log_end_bytes", "Log position of the next message.", Number(stats.log_end));
  sink.Gauge("ringmq_log_durable_bytes", "Log position below which all is on stable storage.",
             Number(stats.durable_end));
  sink.Gauge("ringmq_log_segments", "Segments of the log.", Number(stats.segments));
  sink.Gauge("ringmq_log_failed", "1 while the log takes no more messages because a write or flush has failed.",
             stats.failure.empty() ? 0 : 1);
  sink.Counter("ringmq_log_messages_total", "Messages appended.", Number(stats.messages_appended));
  sink.Counter("ringmq_log_bytes_total", "Bytes of messages appended.", Number(stats.bytes_appended));
  sink.Counter("ringmq_log_writes_total", "Batches written.", Number(stats.writes));
  sink.Counter("ringmq_log_flushes_total", "Flushes of the device.", Number(stats.flushes));
  sink.Counter("ringmq_log_damaged_records_total", "Damaged messages found and never served.",
               Number(stats.damaged_records));
  sink.Gauge("ringmq_log_damaged_bytes", "Bytes of the log that the start skipped as damaged.",
             Number(stats.damaged_bytes));
  sink.Gauge("ringmq_key_index_files", "Files of the index of keys.", Number(stats.key_files));
  sink.Counter("ringmq_key_index_damaged_total", "Of these, found damaged and made anew from the log.", Number(stats.key_files_damaged));
  sink.Counter("ringmq_key_index_late_total", "Messages stored since the start whose keys were not noted then, but read from the log afterwards.",
               Number(stats.key_entered_late));
  sink.Gauge("ringmq_key_index_missing_bytes", "Bytes of the log whose messages are not found by their keys yet.",
             Number(stats.key_bytes_missing));
  sink.Gauge("ringmq_disk_used_ratio", "Share of the disk in use, 0 to 1.", stats.disk_used_ratio);
  sink.Gauge("ringmq_disk_size_bytes", "Size of the disk.", Number(stats.disk_total_bytes));
  sink.Gauge("ringmq_disk_free_bytes", "Free bytes of the disk.", Number(stats.disk_free_bytes));
}

void WriteTraffic(const BrokerTotals& totals, core::MetricSink& sink) {
  sink.Counter("ringmq_messages_in_total", "Messages stored for producers.", Number(totals.put.total));
  sink.Counter("ringmq_message_bytes_in_total", "Bytes of these.", Number(totals.put_bytes));
  sink.Counter("ringmq_send_requests_total", "Sends stored.", Number(totals.put_requests));
  sink.Counter("ringmq_direct_sends_total", "Among these, plain ones on the short way.", Number(totals.direct_sends));
  sink.Counter("ringmq_send_failures_total", "Sends refused or failed.", Number(totals.put_failed));
  sink.Counter("ringmq_messages_out_total", "Messages handed to consumers.", Number(totals.get.total));
  sink.Counter("ringmq_pulls_found_total", "Pulls that were given messages.", Number(totals.found.total));
  sink.Counter("ringmq_pulls_empty_total", "Pulls that were given none.", Number(totals.miss.total));
}

void WriteAccess(const AccessControl::Counters& counters, core::MetricSink& sink) {
  sink.Counter("ringmq_requests_unidentified_total", "Requests refused for want of a right signature.", Number(counters.unidentified));
  sink.Counter("ringmq_requests_denied_total", "Requests of users refused for want of a right.", Number(counters.denied));
}

void WriteSchedule(const ScheduleStats& stats, core::MetricSink& sink) {
  sink.Gauge("ringmq_delayed_messages", "Messages that wait for their time.", Number(stats.waiting));
  sink.Gauge("ringmq_delayed_index_files", "Files of the index of these.", Number(stats.runs));
  sink.Counter("ringmq_delayed_index_made_anew_total", "Times that the index was damaged and read from the log.", Number(stats.made_anew));
  sink.Counter("ringmq_delayed_delivered_total", "Messages put into their queues at their time.", Number(stats.delivered));
  sink.Counter("ringmq_delayed_late_total", "Of these, more than 50 ms after it.", Number(stats.late));
  sink.Gauge("ringmq_delayed_late_ms_max", "The latest of them since the start, in ms.", Number(stats.late_ms_max));
  sink.Counter("ringmq_delayed_recalled_total", "Messages taken back while they waited.", Number(stats.taken_back));
  sink.Counter("ringmq_delayed_discarded_total", "Messages whose topic was deleted while they waited.", Number(stats.discarded));
  sink.Counter("ringmq_delayed_damaged_total", "Messages that could not be read when their time came.", Number(stats.damaged));
  sink.Counter("ringmq_delayed_copied_total", "Waiting messages copied on, as their segment had expired.", Number(stats.copied_on));
}

void WriteTransactions(const TransactionStats& stats, core::MetricSink& sink) {
  sink.Gauge("ringmq_transactions_pending", "Half messages that are neither committed nor rolled back.", Number(stats.pending));
  sink.Counter("ringmq_transactions_committed_total", "Transactions committed.", Number(stats.committed));
  sink.Counter("ringmq_transactions_rolled_back_total", "Transactions rolled back.", Number(stats.rolled_back));
  sink.Counter("ringmq_transaction_checks_total", "Check-backs of pending transactions.", Number(stats.checks));
  sink.Counter("ringmq_transaction_checks_unasked_total", "Of these, without a producer of the group to be asked.", Number(stats.unasked));
  sink.Counter("ringmq_transactions_put_aside_total", "Transactions that nobody ended: see TRANS_CHECK_MAX_TIME_TOPIC.",
               Number(stats.put_aside));
  sink.Counter("ringmq_transactions_discarded_total", "Messages committed when their topic was deleted.", Number(stats.discarded));
  sink.Counter("ringmq_transactions_damaged_total", "Half messages that could not be read as long as their segment was there.", Number(stats.damaged));
}

void WriteLightQueues(size_t queues, core::MetricSink& sink) {
  sink.Gauge("ringmq_light_queues", "Light queues (%LMQ%) that messages were for: at most maxLmqConsumeQueueNum.", Number(queues));
}

void WritePops(const PopStats& stats, core::MetricSink& sink) {
  core::Budget in_flight;
  in_flight.used = stats.in_flight;
  in_flight.limit = stats.in_flight_max;
  in_flight.hits = stats.refused;
  sink.Budget("pop_messages", in_flight);
  sink.Gauge("ringmq_pop_queues", "Queues in memory: of groups that pop, or have popped messages in flight.", Number(stats.queues));
  sink.Counter("ringmq_pop_acknowledged_total", "Popped messages that were acknowledged.", Number(stats.acknowledged));
  sink.Counter("ringmq_pop_changed_total", "Popped messages whose invisible time was changed.", Number(stats.changed));
  sink.Counter("ringmq_pop_redelivered_total", "Popped messages that nobody acknowledged in time: copied to their retry topic.",
               Number(stats.copies.copied));
  sink.Counter("ringmq_pop_late_total", "Of these, more than 100 ms after their time.", Number(stats.copies.late));
  sink.Gauge("ringmq_pop_late_ms_max", "The latest of these since the start.", static_cast<double>(stats.copies.late_ms_max));
  sink.Counter("ringmq_pop_gone_total", "Popped messages that had expired, were damaged or lost their topic before they could come again.",
               Number(stats.copies.gone));
}

}  // namespace

void AddShardMetrics(BrokerShard& shard) {
  core::AddReactorMetrics(shard.metrics());
  shard.metrics().Add([&shard](core::MetricSink& sink) {
    if (shard.store_is_open()) WriteStore(shard.store().Stats(), sink);
    WriteTraffic(shard.stats().Totals(), sink);
    if (const AccessControl* access = shard.access_control(); access != nullptr) WriteAccess(access->counters(), sink);
    if (shard.store_is_open()) {
      WriteSchedule(shard.schedule().stats(), sink);
      WriteTransactions(shard.transactions().stats(), sink);
      WriteLightQueues(shard.lmq_queues().size(), sink);
      WritePops(shard.pops().stats(), sink);
    }
    sink.Budget("held_pulls", shard.held_pulls().budget());
    sink.Budget("connection_held_pulls", shard.connection_held_pulls());
    sink.Budget("pull_read_bytes", shard.pull_reads().budget());
    core::Budget memory = shard.memory_budget();
    memory.used = core::Reactor::Current().buffers().bytes_out();
    sink.Budget("buffer_bytes", memory);
  });
  shard.AddNetMetrics();
}

}  // namespace broker
