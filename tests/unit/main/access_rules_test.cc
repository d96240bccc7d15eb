// Goal: no request that a server answers is without a rule in the request table (request_codes.inc). RocketMQ lets a code through that nobody has
// thought of.
#include <gtest/gtest.h>

#include <string_view>

#include "broker/access/body_names.h"
#include "core/buffer.h"
#include "main/compatibility.h"
#include "net/request_table.h"

namespace ringmq {
namespace {

using Where = net::RequestResource::Where;

void EveryCodeHasARule(const std::set<int32_t>& codes, net::RequestServer server, size_t at_least) {
  EXPECT_GE(codes.size(), at_least);
  for (const int32_t code : codes) {
    const net::RequestInfo* info = net::FindRequest(code);
    ASSERT_NE(info, nullptr) << code;
    EXPECT_NE(info->servers & server, 0) << info->name;
    EXPECT_NE(info->resource.where, Where::kNoRule) << info->name;
    EXPECT_NE(info->actions, net::RequestAction::kNone) << info->name;
    if (info->resource.where == Where::kHeader) EXPECT_FALSE(info->resource.names[0].field.empty()) << info->name;
    // Who consumes a topic moves his own offsets.
    const bool changes = !net::Overlap(info->actions, net::RequestAction::kSub) &&
                         net::Overlap(info->actions, net::RequestAction::kCreate | net::RequestAction::kUpdate | net::RequestAction::kDelete);
    if (changes) EXPECT_NE(info->plane, net::RequestPlane::kData) << info->name << " changes what is everybody's";
  }
}

TEST(AccessRulesTest, EveryCodeThatIsAnsweredHasARule) {
  const absl::StatusOr<HandledCodes> handled = FindHandledCodes();
  ASSERT_TRUE(handled.ok()) << handled.status();
  EveryCodeHasARule(handled->broker, net::kBroker, 40);
  EveryCodeHasARule(handled->nameserver, net::kNameserver, 20);
}

// A body that nobody knows how to read names for access control must not be let through to its handler.
TEST(AccessRulesTest, WhatBodiesNameIsReadOfEachThatIsAnswered) {
  const absl::StatusOr<HandledCodes> handled = FindHandledCodes();
  ASSERT_TRUE(handled.ok()) << handled.status();
  core::BufferPool pool{0};
  for (const int32_t code : handled->broker) {
    const net::RequestInfo* info = net::FindRequest(code);
    if (info->resource.where != Where::kBody) continue;
    net::Frame frame;
    constexpr std::string_view kBody = R"({"consumerGroup":"g","group":"g","groupName":"g"})";
    frame.body = pool.Copy(kBody);
    EXPECT_FALSE(absl::IsUnimplemented(broker::BodyNames(*info, frame).status())) << info->name;
  }
}

}  // namespace
}  // namespace ringmq
