#include "broker/versioned_body.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace broker {
namespace {

std::string_view BodyOf(const net::Reply& reply) {
  return reply.foreign_parts().empty() ? std::string_view(reply.body_text()) : reply.foreign_parts().front().bytes;
}

// Catches a body that is made for each request, one that outlives its version, and one that is freed under an answer.
TEST(VersionedBodyTest, IsEncodedOnceAVersion) {
  VersionedBody body(100);
  int made = 0;
  const auto encode = [&made] { return "body " + std::to_string(++made); };
  DataVersion version;
  version.Next(1000);
  net::Reply first = body.Answer(version, encode);
  EXPECT_EQ(BodyOf(first), "body 1");
  EXPECT_EQ(BodyOf(body.Answer(version, encode)).data(), BodyOf(first).data()) << "one copy for all";
  EXPECT_EQ(made, 1);
  version.Next(1000);  // in the same millisecond
  EXPECT_EQ(BodyOf(body.Answer(version, encode)), "body 2");
  EXPECT_EQ(BodyOf(first), "body 1");
}

TEST(VersionedBodyTest, ALargeOneIsNotKept) {
  VersionedBody body(100);
  int made = 0;
  const auto encode = [&made] { return std::string(++made == 1 ? 100 : 101, 'x'); };
  DataVersion version;
  EXPECT_EQ(BodyOf(body.Answer(version, encode)).size(), 100U);
  EXPECT_EQ(BodyOf(body.Answer(version, encode)).size(), 100U);
  EXPECT_EQ(made, 1);
  version.Next(1000);
  EXPECT_EQ(BodyOf(body.Answer(version, encode)).size(), 101U);
  EXPECT_EQ(BodyOf(body.Answer(version, encode)).size(), 101U);
  EXPECT_EQ(made, 3);
}

}  // namespace
}  // namespace broker
