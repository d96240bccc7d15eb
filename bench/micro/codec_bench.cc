// Question: what does it cost to take a request of a send apart and to put the head of its answer together, in each of the two header encodings?
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <string_view>

#include "bench/micro/on_shard.h"
#include "core/assert.h"
#include "core/decimal.h"
#include "core/reactor.h"
#include "net/answer_template.h"
#include "net/frame.h"
#include "net/frame_encoder.h"
#include "net/header.h"
#include "net/header_shapes.h"
#include "net/requests/send.h"

namespace bench {
namespace {

constexpr size_t kLengthBytes = 4;

net::SendMessageV2Request SendRequest() {
  net::SendMessageV2Request request;
  request.producer_group = "bench-producers";
  request.topic = "BenchTopic";
  request.default_topic = "TBW102";
  request.default_topic_queue_nums = 8;
  request.queue_id = 5;
  request.born_timestamp = 1'764'170'000'000;
  request.properties = "UNIQ_KEY\x01" "7F000001000078BF0000000000000261\x02WAIT\x01true\x02";
  return request;
}

core::Slice EncodedSend(net::SerializeType type, size_t body_bytes) {
  net::HeaderFields fields;
  fields.AddHeader(SendRequest());
  const net::FrameHead head{.serialize_type = type,
                            .code = static_cast<int32_t>(net::SendMessageV2Request::kCode),
                            .opaque = 123'456,
                            .remark = {},
                            .fields = &fields};
  std::string text(net::EncodedHeadBound(head), '\0');
  text.resize(static_cast<size_t>(net::EncodeFrameHead(text.data(), head, body_bytes) - text.data()));
  text.append(body_bytes, 'b');
  return core::Reactor::Current().buffers().Copy(std::string_view(text));
}

core::Task<absl::Status> DecodeSends(benchmark::State& state) {
  const core::Slice whole = EncodedSend(static_cast<net::SerializeType>(state.range(0)), 1024);
  const std::string_view frame_text = whole.text().substr(kLengthBytes);
  core::Slice frame_bytes = core::Reactor::Current().buffers().Copy(frame_text);
  const size_t header_bytes = frame_text.size() - 1024;
  net::HeaderShapes shapes;
  net::HeaderShapes* const known = state.range(1) != 0 ? &shapes : nullptr;
  for (auto _ : state) {
    std::memcpy(frame_bytes.data(), frame_text.data(), header_bytes);  // escapes and all, as it comes
    absl::StatusOr<net::Frame> frame = net::DecodeFrame(frame_bytes, known);
    net::SendMessageV2Request request;
    const net::HeaderError error = net::DecodeHeader(*frame, request);
    CORE_ASSERT(error.ok());
    benchmark::DoNotOptimize(request);
  }
  state.SetItemsProcessed(state.iterations());
  co_return absl::OkStatus();
}

void BM_DecodeSend(benchmark::State& state) {
  OnShard(state, 1, [&] { return DecodeSends(state); });
}
BENCHMARK(BM_DecodeSend)->ArgNames({"binary", "known"})->Args({0, 0})->Args({0, 1})->Args({1, 0})->UseRealTime();

void BM_EncodeSendAnswer(benchmark::State& state) {
  char buffer[1024];
  net::SendMessageResponse answer;
  answer.msg_id = "7F00000100002A9F000000000001E240";
  answer.queue_id = 5;
  for (auto _ : state) {
    answer.queue_offset += 1;
    net::HeaderFields fields;
    fields.AddHeader(answer);
    const net::FrameHead head{.serialize_type = static_cast<net::SerializeType>(state.range(0)),
                              .opaque = 123'456,
                              .flag = net::kFlagResponse,
                              .remark = {},
                              .fields = &fields};
    CORE_ASSERT(net::EncodedHeadBound(head) <= sizeof(buffer));
    benchmark::DoNotOptimize(net::EncodeFrameHead(buffer, head, 0));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_EncodeSendAnswer)->ArgName("binary")->Arg(0)->Arg(1);

void BM_SendAnswerFromTemplate(benchmark::State& state) {
  char buffer[1024];
  const net::AnswerTemplate answer(0, {{"MSG_REGION", "DefaultRegion"}, {"TRACE_ON", "true"}}, {"msgId", "queueId", "queueOffset", "transactionId"});
  int64_t offset = 1'000'000;
  for (auto _ : state) {
    const core::Decimal queue_id(5);
    const core::Decimal queue_offset(++offset);
    const net::AnswerTemplate::Value values[] = {
        {"7F00000100002A9F000000000001E240", true}, {queue_id.text(), true}, {queue_offset.text(), true}, {"7F000001000078BF0000000000000261"}};
    CORE_ASSERT(answer.Bound(values) <= sizeof(buffer));
    benchmark::DoNotOptimize(answer.Write(buffer, static_cast<net::SerializeType>(state.range(0)), 123'456, values));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_SendAnswerFromTemplate)->ArgName("binary")->Arg(0)->Arg(1);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
