#include "core/host.h"

#include <gtest/gtest.h>

namespace core {
namespace {

TEST(HostTest, AddressesAreTakenAsTheyAreAndNamesAreLookedUp) {
  EXPECT_EQ(ResolveBlocking("10.1.2.3:9876")->Text(), "10.1.2.3:9876");
  EXPECT_EQ(ResolveBlocking("[::1]:9876")->Text(), "[::1]:9876");
  const auto localhost = ResolveBlocking("localhost:9876");
  ASSERT_TRUE(localhost.ok()) << localhost.status();
  EXPECT_TRUE(localhost->IsLoopback());
  EXPECT_EQ(localhost->port, 9876);
}

TEST(HostTest, WhatIsNoAddressIsAnErrorThatNamesIt) {
  for (const char* wrong : {"", "localhost", ":9876", "localhost:", "localhost:99999", "localhost:http"}) {
    EXPECT_EQ(ResolveBlocking(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
  // ".invalid" never resolves (RFC 6761).
  EXPECT_EQ(ResolveBlocking("no-such-host.invalid:9876").status().code(), absl::StatusCode::kNotFound);
}

TEST(HostTest, TheWayToLoopbackIsLoopback) {
  const auto source = SourceAddressFor(*Endpoint::Parse("127.0.0.1:1"));
  ASSERT_TRUE(source.has_value());
  EXPECT_EQ(source->Text(), "127.0.0.1:0");
}

}  // namespace
}  // namespace core
