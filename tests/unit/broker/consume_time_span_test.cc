#include <string>

#include "absl/strings/str_format.h"
#include "core/timer.h"
#include "net/requests/group_admin.h"
#include "net/requests/offsets.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"

// QUERY_CONSUME_TIME_SPAN: how far behind a group is in time, queue by queue.

namespace broker::testing {
namespace {

core::Task<void> TimeSpan(Broker& broker, net::Client& client) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ((co_await Ask(client, SendTo("T", 1), "body")).code, 0);
    (void)co_await core::Sleep(absl::Seconds(10));
  }
  EXPECT_EQ((co_await Ask(client, PullFrom("T", 1, 0))).code, 0);  // which makes the group
  net::UpdateConsumerOffsetRequest commit;
  commit.consumer_group = "consumers";
  commit.topic = "T";
  commit.queue_id = 1;
  commit.commit_offset = 1;
  EXPECT_EQ((co_await Ask(client, commit)).code, 0);
  net::QueryConsumeTimeSpanRequest request;
  request.topic = "T";
  request.group = "consumers";
  const Answer answer = co_await Ask(client, request);
  EXPECT_EQ(answer.code, 0) << answer.remark;
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(answer.body);
  EXPECT_TRUE(document.ok()) << document.status();
  if (!document.ok()) co_return;
  const auto spans = document->root()["consumeTimeSpanSet"].items();
  EXPECT_EQ(spans.size(), 4u);
  if (spans.size() != 4) co_return;
  const net::JsonValue& span = spans[1];
  const int64_t first = span["minTimeStamp"].IntOr(-1);
  const auto about = [](int64_t value, int64_t wanted) { return wanted - 10 < value && value < wanted + 10; };
  EXPECT_TRUE(about(span["maxTimeStamp"].IntOr(-1), first + 20'000)) << answer.body;
  EXPECT_EQ(span["consumeTimeStamp"].IntOr(-1), first);
  EXPECT_TRUE(about(span["delayTime"].IntOr(-1), 20'000)) << "since the message that is next";
  const absl::TimeZone zone = broker.shards().local().config().time_zone;
  const std::string text = absl::FormatTime("%Y-%m-%d#%H:%M:%S:", absl::FromUnixMillis(first), zone);
  EXPECT_EQ(span["minTimeStampStr"].text(), text + absl::StrFormat("%03d", first % 1000));
  EXPECT_EQ(span["consumeTimeStampStr"].text(), span["minTimeStampStr"].text());
  EXPECT_EQ(spans[0]["minTimeStamp"].IntOr(0), -1) << "an empty queue";
  EXPECT_EQ(spans[0]["delayTime"].IntOr(-1), 0);
}
TEST(ConsumeTimeSpanTest, TimesAndTheirTexts) { WithBroker(Administrator<TimeSpan>); }

}  // namespace
}  // namespace broker::testing
