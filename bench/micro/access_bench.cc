// Question: what does it cost to judge a request: by its plane and names alone, by its signature as well, and by the rights of who has signed it?
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>

#include "bench/micro/on_shard.h"
#include "broker/access/access_control.h"
#include "broker/access/change_access.h"
#include "broker/catalog_draft.h"
#include "core/assert.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/access.h"
#include "net/frame.h"
#include "net/frame_encoder.h"
#include "net/header.h"
#include "net/requests/send.h"

namespace bench {
namespace {

enum Judged { kPlane, kSignature, kRights };

net::Frame SignedSend(size_t body_bytes) {
  net::SendMessageV2Request request;
  request.producer_group = "bench-producers";
  request.topic = "BenchTopic";
  request.default_topic = "TBW102";
  request.default_topic_queue_nums = 8;
  request.queue_id = 5;
  request.born_timestamp = 1'764'170'000'000;
  request.properties = "UNIQ_KEY\x01" "7F000001000078BF0000000000000261\x02WAIT\x01true\x02";
  std::string signature;
  net::Frame frame;
  for (int round = 0; round < 2; ++round) {  // the first without the signature, to make it
    net::HeaderFields fields;
    fields.AddHeader(request);
    fields.Add("AccessKey", "alice");
    if (!signature.empty()) fields.Add("Signature", signature);
    const net::FrameHead head{.serialize_type = net::SerializeType::kJson,
                              .code = static_cast<int32_t>(net::SendMessageV2Request::kCode),
                              .opaque = 123'456,
                              .remark = {},
                              .fields = &fields};
    std::string text(net::EncodedHeadBound(head), '\0');
    text.resize(static_cast<size_t>(net::EncodeFrameHead(text.data(), head, body_bytes) - text.data()));
    text.append(body_bytes, 'b');
    absl::StatusOr<net::Frame> decoded = net::DecodeFrame(core::Reactor::Current().buffers().Copy(std::string_view(text).substr(4)));
    CORE_ASSERT(decoded.ok());
    frame = *std::move(decoded);
    if (signature.empty()) signature = net::Signer("alice-pw").Sign(frame);
  }
  return frame;
}

/// Users, and a list of `entries` of which the last is the one that counts.
void MakeUsers(broker::CatalogView& view, int64_t entries) {
  broker::CatalogDraft draft(*view, 1);
  CORE_ASSERT(broker::CreateUser({.name = "alice", .password = "alice-pw", .type = {}, .status = {}})(draft).ok());
  std::string list = R"({"subject":"User:alice","policies":[{"entries":[)";
  for (int64_t i = 1; i < entries; ++i) list += core::StrCat(R"({"resource":"Topic:Other)", i, R"(*","actions":["Pub"],"decision":"Allow"},)");
  list += R"({"resource":"Topic:Bench*","actions":["Pub"],"decision":"Allow"}]}]})";
  absl::StatusOr<broker::Acl> acl = broker::Acl::FromJson(list);
  CORE_ASSERT(acl.ok() && broker::PutAcl(*std::move(acl))(draft).ok());
  view.Install(draft.Take());
}

core::Task<absl::Status> JudgeSends(benchmark::State& state) {
  broker::BrokerConfig config;
  config.authentication_enabled = state.range(0) >= kSignature;
  config.authorization_enabled = state.range(0) >= kRights;
  broker::CatalogView view;
  MakeUsers(view, state.range(2));
  const std::unique_ptr<broker::AccessControl> guard = broker::AccessControl::Make(config, view);
  const net::AccessPolicy policy("broker", net::PeerList(), "clusterPeers", guard.get());
  const net::Frame frame = SignedSend(static_cast<size_t>(state.range(1)));
  const net::RequestInfo* const info = net::FindRequest(frame.code);
  const core::Endpoint peer = *core::Endpoint::Parse("10.0.0.7", 4711);
  for (auto _ : state) CORE_ASSERT(!policy.Refuse(info, peer, frame).has_value());
  state.SetItemsProcessed(state.iterations());
  co_return absl::OkStatus();
}

void BM_JudgeSend(benchmark::State& state) {
  OnShard(state, 1, [&] { return JudgeSends(state); });
}
BENCHMARK(BM_JudgeSend)
    ->ArgNames({"judged", "body", "entries"})
    ->Args({kPlane, 1024, 1})
    ->Args({kSignature, 0, 1})
    ->Args({kSignature, 1024, 1})
    ->Args({kSignature, 16384, 1})
    ->Args({kRights, 1024, 1})
    ->Args({kRights, 1024, 100});

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
