// Goal: a batch proves its place, its past and each of its records; one flipped bit costs at most one record.
#include "store/batch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "store/crc.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

const LogIdentity kLog{{1, 2}, 3};
constexpr uint64_t kPosition = 40960;

struct Built {
  BatchHeader header;
  std::vector<std::byte> bytes;
};

Built Build(int records) {
  std::vector<std::byte> payload;
  std::vector<TableEntry> table;
  for (int i = 0; i < records; ++i) {
    const std::string body(static_cast<size_t>(100 + 77 * i), 'b');
    const MessageDraft draft = DraftOf("Topic", 1, body);
    const size_t begin = payload.size();
    payload.resize(begin + RecordBytes(draft));
    EncodeRecord(draft, {core::LogicalOffset(i), MakePhysicalOffset(3, kPosition + kBatchHeaderBytes + begin), 5}, payload.data() + begin);
    const std::span<const std::byte> record = std::span(payload).subspan(begin);
    table.push_back({static_cast<uint32_t>(record.size()), Crc32c(record), 77, i, i * 10});
  }
  Built built;
  built.header = {.previous_crc = 9, .epoch = 2, .position = kPosition, .payload_bytes = static_cast<uint32_t>(payload.size()), .mark = 4096};
  built.bytes.resize(BatchBytes(payload.size(), table.size()), std::byte{0xEE});
  if (!payload.empty()) std::memcpy(built.bytes.data() + kBatchHeaderBytes, payload.data(), payload.size());
  EncodeBatch(kLog, built.header, table, built.bytes);
  return built;
}

int CountGood(const BatchHeader& header, std::span<const std::byte> bytes) {
  int good = 0;
  BatchView(header, bytes).ForEach([&](const TableEntry&, std::span<const std::byte>, size_t) { ++good; }, [](const TableEntry&) {});
  return good;
}

TEST(BatchTest, HeaderAndTrailerSayTheSame) {
  for (const int records : {0, 1, 2, 40}) {
    const Built built = Build(records);
    EXPECT_EQ(built.bytes.size() % kBlock, 0U);
    const absl::StatusOr<BatchHeader> header = ParseBatchHeader(built.bytes, kLog, kPosition);
    const absl::StatusOr<BatchHeader> trailer = ParseBatchTrailer(built.bytes, kLog, kPosition + built.bytes.size());
    ASSERT_TRUE(header.ok() && trailer.ok()) << header.status() << trailer.status();
    EXPECT_EQ(header->crc, trailer->crc);
    EXPECT_EQ(header->record_count, static_cast<uint32_t>(records));
    EXPECT_EQ(header->mark, 4096U);
    EXPECT_TRUE(BatchView(*header, built.bytes).Intact());
    EXPECT_EQ(CountGood(*header, built.bytes), records);
  }
}

TEST(BatchTest, IsBoundToItsPlaceAndLog) {
  const Built built = Build(2);
  EXPECT_FALSE(ParseBatchHeader(built.bytes, kLog, kPosition + kBlock).ok());
  EXPECT_FALSE(ParseBatchTrailer(built.bytes, kLog, kPosition).ok());
  EXPECT_FALSE(ParseBatchHeader(built.bytes, {{1, 7}, 3}, kPosition).ok());
  EXPECT_FALSE(ParseBatchHeader(built.bytes, {{1, 2}, 4}, kPosition).ok());
  EXPECT_FALSE(ParseBatchHeader(std::span(built.bytes).first(100), kLog, kPosition).ok());
}

TEST(BatchTest, OneFlippedBitCostsOneRecordAtMost) {
  const Built built = Build(6);
  int seen_whole = 0;
  for (size_t at = 0; at < built.bytes.size(); ++at) {
    std::vector<std::byte> bytes = built.bytes;
    bytes[at] ^= std::byte(1 << (at % 8));
    absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes, kLog, kPosition);
    if (!header.ok()) header = ParseBatchTrailer(bytes, kLog, kPosition + bytes.size());
    ASSERT_TRUE(header.ok()) << "byte " << at;
    const int good = CountGood(*header, bytes);
    EXPECT_GE(good, 5) << "byte " << at;
    seen_whole += good == 6;
    // A flip in a record or the table never goes unnoticed.
    const size_t table_end = TableOffset(header->payload_bytes) + 6 * kTableEntryBytes;
    const bool in_records = at >= kBatchHeaderBytes && at < kBatchHeaderBytes + header->payload_bytes;
    const bool in_table = at >= TableOffset(header->payload_bytes) && at < table_end;
    EXPECT_EQ(BatchView(*header, bytes).Intact(), !in_records && !in_table) << "byte " << at;
  }
  EXPECT_GT(seen_whole, 0);
}

TEST(BatchTest, AnyHeaderBytesParseOrFail) {
  Built built = Build(3);
  // Right checksum, absurd lengths: refused, or at least inside the batch, so that nothing reads outside.
  for (const uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
    for (const size_t field : {size_t{40}, size_t{44}, size_t{48}}) {
      std::vector<std::byte> bytes = built.bytes;
      StoreLittle(bytes.data() + field, value);
      StoreLittle<uint32_t>(bytes.data() + 8, 0);
      StoreLittle(bytes.data() + 8, Crc32c(std::span(bytes).first(kBatchHeaderBytes)));
      const absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes, kLog, kPosition);
      if (value > 1) EXPECT_FALSE(header.ok()) << field << " " << value;
      if (!header.ok()) continue;
      EXPECT_EQ(header->bytes, bytes.size());
      EXPECT_LT(CountGood(*header, bytes), 3) << field << " " << value;
    }
  }
}

}  // namespace
}  // namespace store
