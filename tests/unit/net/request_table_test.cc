#include "net/request_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "net/limits.h"
#include "net/router.h"

namespace net {
namespace {

TEST(RequestTable, KnowsCodesByNumber) {
  EXPECT_EQ(RequestName(10), "SEND_MESSAGE");
  EXPECT_EQ(RequestName(200050), "POP_MESSAGE");
  EXPECT_EQ(RequestName(3010), "AUTH_LIST_ACL");
  EXPECT_EQ(RequestName(-1), "");
  EXPECT_EQ(RequestName(13), "");  // nobody answers it
  const RequestInfo* info = FindRequest(307);
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->servers, kBroker | kClient);
  EXPECT_EQ(info->plane, RequestPlane::kAdmin);
}

TEST(RequestTable, EveryEntryIsFoundAndComplete) {
  std::set<std::string_view> names;
  for (const RequestInfo& info : RequestTable()) {
    EXPECT_EQ(FindRequest(static_cast<int32_t>(info.code)), &info);
    EXPECT_NE(info.servers, 0);
    EXPECT_TRUE(info.tier >= 'A' && info.tier <= 'D') << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
  }
}

TEST(RequestTable, BodiesAreAsLargeAsTheirRequestsNeed) {
  const auto body = [](RequestCode code) { return FindRequest(static_cast<int32_t>(code))->body; };
  EXPECT_EQ(body(RequestCode::kPullMessage), BodySize::kSmall);
  EXPECT_EQ(body(RequestCode::kHeartBeat), BodySize::kLists);
  EXPECT_EQ(body(RequestCode::kSendBatchMessage), BodySize::kMessage);
  EXPECT_EQ(body(RequestCode::kRegisterBroker), BodySize::kFrame);
  EXPECT_GE(kListsBytesMax, kSmallFrame);
}

TEST(Router, AnswersUnknownCodesInRocketMqsWords) {
  EXPECT_EQ(Router::NotSupported(4711).remark(), " request type 4711 not supported");
  EXPECT_EQ(Router::NotSupported(12).remark(), " request type 12 not supported: QUERY_MESSAGE");
  EXPECT_EQ(Router::NotSupported(12).code(), ResponseCode::kRequestCodeNotSupported);
}

}  // namespace
}  // namespace net
