// Goal: what is due comes again at its time whatever keeps others from it, and what was being copied when a process ended is acknowledged no more.
// Method: the shard's part of POP on a simulated store, without a broker around it.
#include "broker/pop/copies.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/offset_table.h"
#include "broker/pop/pops.h"
#include "broker/pop/receipt.h"
#include "broker/pull_reads.h"
#include "core/sim/world.h"
#include "core/status.h"
#include "core/sync.h"
#include "tests/unit/broker/memory_meta.h"
#include "tests/unit/store/store_fixture.h"

namespace broker {
namespace {

constexpr std::string_view kTopic = "T";

core::Task<absl::Status> Take(Pops& pops, std::string group, int64_t invisible, int32_t messages = 1) {
  PopJob job;
  job.group = group;
  job.topic = kTopic;
  job.queues = {0};
  job.pop_time = core::Reactor::Current().wall_now();
  job.invisible = invisible;
  job.limits = {.messages = 32, .bytes = size_t{64} << 10};
  const PopJob* const borrowed = &job;
  const PopOutcome outcome = co_await pops.Take(borrowed);
  EXPECT_EQ(outcome.messages, messages);
  co_return outcome.status;
}

// Catches a nameserver that hangs, or a limit of topics, and holds up what everybody else is to get again.
core::Task<absl::Status> SlowTopicMain() {
  CO_ASSIGN_OR_RETURN(store::OpenStore files, co_await store::OpenIn("data", store::SmallOptions()));
  OffsetTable offsets(*files.meta);
  PullReads reads(size_t{1} << 20, size_t{1} << 16);
  const std::string slow = PopRetryTopicOf(kTopic, "slow");
  const std::string quick = PopRetryTopicOf(kTopic, "quick");
  bool slow_is_there = false;
  int asked = 0;
  PopsOptions options;
  options.copies.topic_exists = [](std::string_view) { return true; };
  options.copies.retry_queue = [](std::string_view) { return 0; };
  options.copies.on_stored = [](const store::MessageDraft&) {};
  options.copies.retry_topic_is_ready = [&](std::string_view topic) { return topic == quick || slow_is_there; };
  options.copies.make_retry_topic = [&](std::string topic) -> core::Task<absl::Status> {
    EXPECT_EQ(topic, slow);
    if (++asked == 1) {
      co_await core::Sleep(absl::Seconds(20));
      co_return absl::UnavailableError("no nameserver answers");
    }
    slow_is_there = true;
    co_return absl::OkStatus();
  };
  Pops pops(std::move(options), *files.meta, *files.store, offsets, reads);
  pops.Start();
  CO_RETURN_IF_ERROR((co_await store::AppendOne(*files.store, std::string(kTopic), 0, "body")).status());
  CO_RETURN_IF_ERROR(co_await Take(pops, "slow", 1'000));
  CO_RETURN_IF_ERROR(co_await Take(pops, "quick", 1'000));
  const auto copies = [&](const std::string& topic) { return files.store->MaxOffset({topic, 0}).value(); };
  co_await core::Sleep(absl::Milliseconds(1'050));
  EXPECT_EQ(copies(quick), 1);
  EXPECT_EQ(copies(slow), 0);
  co_await core::Sleep(absl::Seconds(22));
  EXPECT_EQ(asked, 2) << "once while it takes, and again after it has failed";
  EXPECT_EQ(copies(slow), 1);
  EXPECT_EQ(copies(quick), 1);
  co_await pops.Stop();
  CO_RETURN_IF_ERROR(co_await offsets.Flush());
  co_return co_await store::CloseBoth(files);
}
TEST(PopCopiesTest, ATopicThatCanNotBeMadeHoldsUpNobodyElse) {
  const absl::Status status = sim::RunInWorld(5, 1, SlowTopicMain);
  EXPECT_TRUE(status.ok()) << status;
}

// Catches copies that are looked for behind the end of a retry topic that a power cut has cut short, and are made twice at the next crash as what is there is not seen.
core::Task<absl::Status> CutRetryTopicMain() {
  CO_ASSIGN_OR_RETURN(store::OpenStore files, co_await store::OpenIn("data", store::SmallOptions()));
  for (int i = 0; i < 2; ++i)
    CO_RETURN_IF_ERROR((co_await store::AppendOne(*files.store, std::string(kTopic), 0, "body")).status());
  const std::string retry = PopRetryTopicOf(kTopic, "g");
  CO_RETURN_IF_ERROR((co_await store::AppendOne(*files.store, retry, 0, "of another batch")).status());
  FakeMeta meta;
  const std::string row = std::string("g\0T\0" "0\0" "0\0" "1000", 12);
  meta.Insert(store::MetaTable::kPopBatches, row, "1 17 3");  // both are due, and copied from offset 17 on
  OffsetTable offsets(*files.meta);
  PullReads reads(size_t{1} << 20, size_t{1} << 16);
  PopsOptions options;
  options.copies.topic_exists = [](std::string_view) { return true; };
  options.copies.retry_queue = [](std::string_view) { return 0; };
  options.copies.retry_topic_is_ready = [](std::string_view) { return true; };
  options.copies.on_stored = [&](const store::MessageDraft&) {
    const std::string* const noted = meta.Find(store::MetaTable::kPopBatches, row);
    EXPECT_TRUE(noted != nullptr && *noted == "1 1 3") << "before anything is copied, it is noted where copies lie";
  };
  Pops pops(std::move(options), meta, *files.store, offsets, reads);
  pops.Start();
  co_await core::Sleep(absl::Milliseconds(200));
  EXPECT_EQ(files.store->MaxOffset({retry, 0}).value(), 3);
  EXPECT_TRUE(meta.All(store::MetaTable::kPopBatches).empty());
  EXPECT_EQ(pops.stats().queues, 0U);
  co_await pops.Stop();
  co_return co_await store::CloseBoth(files);
}
TEST(PopCopiesTest, ARetryTopicThatWasCutShort) {
  const absl::Status status = sim::RunInWorld(5, 1, CutRetryTopicMain);
  EXPECT_TRUE(status.ok()) << status;
}

// Catches a batch of acknowledgements that costs a row and a commit for each message, and what was acknowledged in whole but stays in memory.
core::Task<absl::Status> OneRowMain() {
  CO_ASSIGN_OR_RETURN(store::OpenStore files, co_await store::OpenIn("data", store::SmallOptions()));
  for (int i = 0; i < 10; ++i)
    CO_RETURN_IF_ERROR((co_await store::AppendOne(*files.store, std::string(kTopic), 0, "body")).status());
  FakeMeta meta;
  OffsetTable offsets(*files.meta);
  PullReads reads(size_t{1} << 20, size_t{1} << 16);
  PopsOptions options;
  options.copies.topic_exists = [](std::string_view) { return true; };
  Pops pops(std::move(options), meta, *files.store, offsets, reads);
  const core::WallMillis pop_time = core::Reactor::Current().wall_now();
  CO_RETURN_IF_ERROR(co_await Take(pops, "g", 60'000, 10));
  EXPECT_EQ(pops.stats().in_flight, 10U);
  EXPECT_EQ(pops.stats().queues, 1U);
  meta.commits = meta.rows_changed = 0;
  PopReply reply{
      .group = "g", .topic = kTopic, .start = 0, .pop_time = pop_time, .invisible = 60'000, .offsets = {0, 1, 2, 3, 4, 5, 6, 7}};
  const PopReply* const one = &reply;
  EXPECT_EQ((co_await pops.Acknowledge(one)).done, 8U);
  EXPECT_EQ(pops.stats().in_flight, 2U);
  reply.offsets = {8, 9};
  EXPECT_EQ((co_await pops.Acknowledge(one)).done, 2U);
  EXPECT_EQ(pops.stats().in_flight, 0U);
  EXPECT_EQ(meta.commits, 2);
  EXPECT_EQ(meta.rows_changed, 2);
  EXPECT_EQ(pops.stats().queues, 0U);
  co_return co_await store::CloseBoth(files);
}
TEST(PopsTest, ABatchOfAcknowledgementsIsOneRow) {
  const absl::Status status = sim::RunInWorld(5, 1, OneRowMain);
  EXPECT_TRUE(status.ok()) << status;
}

// Catches an acknowledgement that takes away what may be in the retry topic by now: after a wall clock that was set back, a batch whose row says so is not due yet.
TEST(PopInFlightTest, WhatWasBeingCopiedIsSoAfterARestart) {
  FakeMeta meta;
  const std::string key = std::string("g\0T\0" "0\0" "5\0" "1000", 12);
  meta.Insert(store::MetaTable::kPopBatches, key, "60000 17 3");
  PopInFlight in_flight(meta, 100);
  const std::shared_ptr<PopQueue> queue = in_flight.Find("g", "T", 0);
  ASSERT_NE(queue, nullptr);
  EXPECT_EQ(in_flight.Judge(*queue, 5, 1000, 60'000, 5, 1'500), ReceiptState::kExpired);
  EXPECT_LT(in_flight.NextDue(), 1'500);
  const auto due = in_flight.TakeDue(1'500, 10);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].second, PopQueue::Name(5, 1000));
}

}  // namespace
}  // namespace broker
