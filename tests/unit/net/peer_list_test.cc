#include "net/peer_list.h"

#include <gtest/gtest.h>

#include <string>

namespace net {
namespace {

bool In(std::string_view list, const char* host) {
  const absl::StatusOr<PeerList> peers = PeerList::Parse(list);
  EXPECT_TRUE(peers.ok()) << peers.status();
  return peers.ok() && peers->Contains(*core::Endpoint::Parse(host, 1));
}

TEST(PeerListTest, TheMachineItselfIsAlwaysIn) {
  for (const char* list : {"", "loopback", "10.0.0.1"}) {
    EXPECT_TRUE(In(list, "127.0.0.1")) << list;
    EXPECT_TRUE(In(list, "::1")) << list;
    EXPECT_FALSE(In(list, "8.8.8.8")) << list;
  }
  EXPECT_FALSE(PeerList().Contains(*core::Endpoint::Parse("10.0.0.1", 1)));
}

TEST(PeerListTest, NetworksEndWhereTheySay) {
  EXPECT_TRUE(In("10.1.0.0/16; fd00::/8", "10.1.255.255"));
  EXPECT_FALSE(In("10.1.0.0/16", "10.2.0.0"));
  EXPECT_TRUE(In("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(In("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(In("fd00::/8", "fdff::1"));
  EXPECT_FALSE(In("fd00::/8", "fe00::1"));
  EXPECT_TRUE(In("10.0.0.5,10.0.0.6", "10.0.0.6"));
  EXPECT_FALSE(In("10.0.0.5,10.0.0.6", "10.0.0.7"));
  EXPECT_TRUE(In("10.0.0.5", "::ffff:10.0.0.5")) << "an IPv4 peer of an IPv6 listener";
}

TEST(PeerListTest, Words) {
  for (const char* host : {"10.2.3.4", "172.20.0.1", "192.168.7.7", "169.254.1.1", "fd12::1", "fe80::1"}) {
    EXPECT_TRUE(In("private", host)) << host;
  }
  for (const char* host : {"8.8.8.8", "11.0.0.0", "172.15.0.1", "192.169.0.1", "2001:db8::1"}) {
    EXPECT_FALSE(In("private", host)) << host;
    EXPECT_TRUE(In("any", host)) << host;
  }
}

TEST(PeerListTest, WhatIsNoAddressIsNamed) {
  for (const char* list :
       {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "fd00::/129", "broker-a", "10.0.0", "10.0.0.1/8x", "privat"}) {
    const absl::Status status = PeerList::Parse(list).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << list;
    EXPECT_NE(std::string(status.message()).find(list), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace net
