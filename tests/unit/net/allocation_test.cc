// Counts every operator new of the program, which is why it is a binary of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "net/frame.h"
#include "net/header.h"
#include "net/output.h"
#include "net/requests/send.h"
#include "tests/unit/net/test_util.h"

namespace {

size_t allocations = 0;

void* Counted(size_t bytes, size_t alignment) {
  ++allocations;
  const size_t multiples = std::max<size_t>(1, (bytes + alignment - 1) / alignment);  // what aligned_alloc wants
  void* const memory = std::aligned_alloc(alignment, multiples * alignment);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

// All forms, so that no sanitizer's own stands beside ours.
void* operator new(size_t bytes) { return Counted(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new[](size_t bytes) { return Counted(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return Counted(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  return Counted(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(size_t bytes, std::align_val_t alignment) { return Counted(bytes, static_cast<size_t>(alignment)); }
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Counted(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace net {
namespace {

constexpr size_t kSendFields = 13;

/// A SEND_MESSAGE_V2 with the fields of a Java client, without its length field; unknown fields fill it up to `field_count`.
std::string SendFrame(SerializeType serialize_type, size_t field_count) {
  HeaderFields fields;
  fields.Add("a", "a-producer-group");
  fields.Add("b", "ATopicOfOrdinaryLength");
  fields.Add("c", "TBW102");
  for (const std::string_view number : {"d", "e", "f"}) fields.Add(number, int64_t{4});
  fields.Add("g", int64_t{1'700'000'000'000});
  fields.Add("h", int64_t{0});
  fields.Add("i",
             "UNIQ_KEY\x01"
             "7F00000100002A139A55112233440000\x02WAIT\x01true\x02TAGS\x01"
             "TagA\x02KEYS\x01order-4711");
  fields.Add("j", int64_t{0});
  fields.Add("k", "false");
  fields.Add("m", "false");
  fields.Add("n", "broker-a");
  EXPECT_EQ(fields.entries().size(), kSendFields);
  while (fields.entries().size() < field_count) fields.Add("x", "unknown");
  FrameHead head;
  head.serialize_type = serialize_type;
  head.code = static_cast<int32_t>(RequestCode::kSendMessageV2);
  head.opaque = 123456;
  head.fields = &fields;
  const std::string body(1024, 'b');
  return (Encode(head, body.size()) + body).substr(4);
}

class AllocationTest : public testing::TestWithParam<SerializeType> {
 protected:
  /// From the bytes of a frame to the bytes of its answer; how often memory was asked for on the way.
  size_t DecodeAndAnswer(const std::string& wire) {
    core::Slice bytes = TestPool().Copy(wire);  // as received
    const size_t before = allocations;
    const absl::StatusOr<Frame> frame = DecodeFrame(std::move(bytes));
    if (!frame.ok()) {
      ADD_FAILURE() << frame.status();
      return 0;
    }
    SendMessageV2Request request;
    const bool decoded = DecodeHeader(*frame, request).ok();
    SendMessageResponse response;
    response.msg_id = "7F00000100002A9F0000000000000000";
    response.queue_id = request.queue_id;
    response.queue_offset = 1'234'567'890;
    Reply reply(ResponseCode::kSuccess);
    reply.AddHeader(response);
    output_.AppendReply(std::move(reply), frame->serialize_type, frame->opaque);
    const size_t answer_bytes = output_.BeginBatch().front().size();
    output_.EndBatch();
    const size_t count = allocations - before;
    EXPECT_TRUE(decoded);
    EXPECT_EQ(frame->serialize_type, GetParam());
    EXPECT_EQ(request.topic, "ATopicOfOrdinaryLength");
    EXPECT_EQ(request.queue_id, 4);
    EXPECT_EQ(frame->body.size(), 1024U);
    EXPECT_GT(answer_bytes, 100U);
    return count;
  }

  PinnedBlocks pinned_{size_t{1} << 20};
  core::Budget held_;
  Output output_{TestPool(), pinned_, held_};
};

// Catches a string, a map or a std::function on the path that every message takes.
TEST_P(AllocationTest, ASendIsDecodedAndAnsweredWithoutAnAllocation) {
  const std::string wire = SendFrame(GetParam(), kSendFields);
  for (int i = 0; i < 4; ++i) DecodeAndAnswer(wire);  // the pool's blocks and the lists of the output are made once
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(DecodeAndAnswer(wire), 0U) << "round " << i;
}

// Catches a counter that counts nothing: a Frame has room for 24 fields in itself.
TEST_P(AllocationTest, TheTwentyFifthFieldAllocates) {
  const std::string fits = SendFrame(GetParam(), 24);
  const std::string larger = SendFrame(GetParam(), 25);
  for (int i = 0; i < 4; ++i) DecodeAndAnswer(fits);
  EXPECT_EQ(DecodeAndAnswer(fits), 0U);
  EXPECT_GT(DecodeAndAnswer(larger), 0U);
}

INSTANTIATE_TEST_SUITE_P(BothEncodings, AllocationTest, testing::Values(SerializeType::kJson, SerializeType::kRocketMq),
                         [](const auto& each) { return each.param == SerializeType::kJson ? "Json" : "RocketMq"; });

}  // namespace
}  // namespace net
