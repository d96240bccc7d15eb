#include "broker/wire_status.h"

#include "broker/pull.h"
#include "gtest/gtest.h"

namespace broker {
namespace {

using net::ResponseCode;
using store::FetchStatus;

// A full or fenced disk must send producers to another broker: 14 is in every client's retry list, 1 would be as well, 2 is not in that of 4.9.
TEST(WireStatusTest, AFullOrFencedLogIsServiceNotAvailable) {
  EXPECT_EQ(ResponseCodeOfAppend(absl::ResourceExhaustedError("disk")), ResponseCode::kServiceNotAvailable);
  EXPECT_EQ(ResponseCodeOfAppend(absl::UnavailableError("fenced")), ResponseCode::kServiceNotAvailable);
}

TEST(WireStatusTest, OnlyForAppendsIsABadArgumentAnIllegalMessageAndADeadlineAFlush) {
  EXPECT_EQ(ResponseCodeOfAppend(absl::InvalidArgumentError("x")), ResponseCode::kMessageIllegal);
  EXPECT_EQ(ResponseCodeOf(absl::InvalidArgumentError("x")), ResponseCode::kInvalidParameter);
  EXPECT_EQ(ResponseCodeOfAppend(absl::DeadlineExceededError("x")), ResponseCode::kFlushDiskTimeout);
  EXPECT_NE(ResponseCodeOf(absl::DeadlineExceededError("x")), ResponseCode::kFlushDiskTimeout);
}

TEST(WireStatusTest, TheRemarkIsTheStatussMessage) {
  const net::Reply reply = ReplyFromStatus(absl::NotFoundError("topic[x]"), ResponseCode::kTopicNotExist);
  EXPECT_EQ(reply.code(), ResponseCode::kTopicNotExist);
  EXPECT_EQ(reply.remark(), "topic[x]");
  EXPECT_EQ(ReplyFromStatus(absl::OkStatus(), ResponseCode::kTopicNotExist).code(), ResponseCode::kSuccess);
}

// 21 by mistake makes a client jump to another offset; 19 where 21 belongs makes it wait for ever.
TEST(PullResponseCodeTest, FollowsRocketMqsTable) {
  const core::LogicalOffset zero(0);
  const core::LogicalOffset five(5);
  EXPECT_EQ(PullResponseCode(FetchStatus::kFound, five), ResponseCode::kSuccess);
  EXPECT_EQ(PullResponseCode(FetchStatus::kNoMatchedMessage, five), ResponseCode::kPullRetryImmediately);
  EXPECT_EQ(PullResponseCode(FetchStatus::kMessageWasRemoving, five), ResponseCode::kPullRetryImmediately);
  EXPECT_EQ(PullResponseCode(FetchStatus::kNoMatchedLogicQueue, zero), ResponseCode::kPullNotFound);
  EXPECT_EQ(PullResponseCode(FetchStatus::kNoMatchedLogicQueue, five), ResponseCode::kPullOffsetMoved);
  EXPECT_EQ(PullResponseCode(FetchStatus::kNoMessageInQueue, zero), ResponseCode::kPullNotFound);
  EXPECT_EQ(PullResponseCode(FetchStatus::kNoMessageInQueue, five), ResponseCode::kPullOffsetMoved);
  EXPECT_EQ(PullResponseCode(FetchStatus::kOffsetOverflowOne, five), ResponseCode::kPullNotFound);
  EXPECT_EQ(PullResponseCode(FetchStatus::kOffsetFoundNull, five), ResponseCode::kPullNotFound);
  EXPECT_EQ(PullResponseCode(FetchStatus::kOffsetOverflowBadly, five), ResponseCode::kPullOffsetMoved);
  EXPECT_EQ(PullResponseCode(FetchStatus::kOffsetTooSmall, five), ResponseCode::kPullOffsetMoved);
}

}  // namespace
}  // namespace broker
