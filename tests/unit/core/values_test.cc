// Goal: the small values that everything passes around: addresses, histograms, statuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <random>
#include <vector>

#include "core/io.h"
#include "core/metrics.h"
#include "core/status.h"

namespace core {
namespace {

// Catches an address that is read in the wrong byte order or printed otherwise than it was read.
TEST(EndpointTest, ParsesWhatItPrints) {
  for (const char* text : {"127.0.0.1:9876", "0.0.0.0:0", "10.1.2.3:65535", "[::1]:10911", "[2001:db8::1]:80", "[::]:1"}) {
    const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->Text(), text);
  }
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse("10.1.2.3:258");
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->address[0], 10);
  EXPECT_EQ(endpoint->address[3], 3);
  EXPECT_EQ(endpoint->port, 258);
  EXPECT_EQ(Endpoint::Parse("10.1.2.3", 258).value(), *endpoint);
}

// Catches a lenient parser: a typing error in a configuration must not become some other address.
TEST(EndpointTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:80x", "1.2.3:80", "256.1.1.1:80",
                           "localhost:80", "[::1:80", " 1.2.3.4:80", "1.2.3.4: 80", "1.2.3.4:8 0", "::1]:80"}) {
    EXPECT_FALSE(Endpoint::Parse(text).ok()) << text;
  }
}

TEST(EndpointTest, KnowsLoopbackAndAny) {
  EXPECT_TRUE(Endpoint::Parse("127.3.4.5:1")->IsLoopback());
  EXPECT_TRUE(Endpoint::Parse("[::1]:1")->IsLoopback());
  EXPECT_TRUE(Endpoint::Parse("[::ffff:127.0.0.1]:1")->IsLoopback());
  EXPECT_FALSE(Endpoint::Parse("[::2]:1")->IsLoopback());
  EXPECT_FALSE(Endpoint::Parse("128.0.0.1:1")->IsLoopback());
  EXPECT_TRUE(Endpoint::Parse("0.0.0.0:1")->IsAny());
  EXPECT_TRUE(Endpoint::Parse("[::]:1")->IsAny());
  EXPECT_FALSE(Endpoint::Parse("0.0.0.1:1")->IsAny());
}

// Catches a bucket whose ends do not meet its neighbour's, and a rank that is off by one.
TEST(HistogramTest, QuantilesAreWithinASixteenth) {
  std::mt19937_64 random(3);
  for (const int bits : {3, 10, 40, 63}) {
    Histogram histogram;
    std::vector<uint64_t> values;
    for (int i = 0; i < 5000; ++i) {
      values.push_back(random() >> (64 - bits));
      histogram.Record(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const size_t rank = std::max<size_t>(1, static_cast<size_t>(std::ceil(q * 5000)));
      const uint64_t exact = values[rank - 1];
      const uint64_t got = histogram.Quantile(q);
      EXPECT_GE(got, exact) << q;
      EXPECT_LE(static_cast<double>(got), static_cast<double>(exact) * 17 / 16 + 1) << q;
    }
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(histogram.Quantile(1.0), values.back());
    EXPECT_EQ(histogram.count(), 5000U);
  }
}

TEST(HistogramTest, HoldsTheExtremesAndMerges) {
  Histogram a;
  EXPECT_EQ(a.Quantile(0.5), 0U);
  a.Record(0);
  a.Record(UINT64_MAX);
  EXPECT_EQ(a.Quantile(0.5), 0U);
  EXPECT_EQ(a.Quantile(1), UINT64_MAX);
  Histogram b;
  b.Record(100, 3);
  EXPECT_EQ(b.sum(), 300U);
  b.Merge(a);
  EXPECT_EQ(b.count(), 5U);
  EXPECT_EQ(b.max(), UINT64_MAX);
}

// Catches an errno that tells its caller to do the wrong thing.
TEST(StatusTest, AnErrnoSaysWhatToDo) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "x").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoStatus(EIO, "x").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrnoStatus(ENOENT, "x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrnoStatus(EROFS, "x").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoStatus(ECONNRESET, "x").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrnoStatus(EINVAL, "x").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ErrnoStatus(EIO, "write /a").message(), "write /a: Input/output error");
  EXPECT_EQ(Annotate(absl::NotFoundError("b"), "a"), absl::NotFoundError("a: b"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "a").ok());
}

}  // namespace
}  // namespace core
