#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "broker/message_properties.h"
#include "core/reactor.h"
#include "core/sim/world.h"
#include "gtest/gtest.h"
#include "net/client.h"
#include "net/requests/client_management.h"
#include "net/requests/offsets.h"
#include "net/requests/pull.h"
#include "net/requests/query.h"
#include "net/requests/send.h"
#include "store/record.h"

// A whole broker on a simulated machine of two shards, asked by real clients of the protocol in virtual time: nothing here waits.

namespace broker::testing {

inline constexpr absl::Duration kPatience = absl::Seconds(60);

/// A copy of an answer.
struct Answer {
  int32_t code = -1;
  std::string remark;
  std::map<std::string, std::string> fields;
  std::string body;
  int64_t Number(const std::string& name) const {
    const auto it = fields.find(name);
    return it == fields.end() ? INT64_MIN : std::stoll(it->second);
  }
  bool Has(const std::string& name) const { return fields.contains(name); }
};

template <typename Request>
core::Task<Answer> Ask(net::Client& client, Request request, std::string body = "") {
  core::Slice slice = core::Reactor::Current().buffers().Copy(body);
  const absl::StatusOr<net::Frame> frame = co_await client.Call(request, std::move(slice), kPatience);
  Answer answer;
  if (!frame.ok()) {
    answer.remark = std::string(frame.status().message());
    co_return answer;
  }
  answer.code = frame->code;
  answer.remark = frame->remark;
  for (const net::ExtField& field : frame->fields) answer.fields[std::string(field.name)] = std::string(field.value);
  answer.body = frame->body.text();
  co_return answer;
}

inline BrokerConfig TestConfig() {
  BrokerConfig config;
  config.listen_address = "0.0.0.0";
  config.listen_port = 10911;
  config.store_path_root_dir = "/data";
  config.segment_bytes = 16 << 20;
  config.append_buffer_bytes = 4 << 20;
  config.read_cache_bytes = 1 << 20;
  return config;
}

inline core::Endpoint BrokerAddress(uint16_t port = 10911) {
  return core::Endpoint::Parse("10.0.0.1", port).value();
}

inline core::Task<std::unique_ptr<net::Client>> Connect(uint16_t port = 10911) {
  absl::StatusOr<std::unique_ptr<net::Client>> client = co_await net::Client::Connect(BrokerAddress(port), kPatience);
  EXPECT_TRUE(client.ok()) << client.status();
  co_return client.ok() ? std::move(*client) : nullptr;
}

/// What a test does with a running broker and one client.
using Scenario = core::Task<void> (*)(Broker& broker, net::Client& client);

inline core::Task<absl::Status> RunScenario(BrokerConfig config, Scenario scenario) {
  absl::StatusOr<std::unique_ptr<Broker>> broker = co_await Broker::Start(std::move(config));
  if (!broker.ok()) co_return broker.status();
  std::unique_ptr<net::Client> client = co_await Connect();
  if (client != nullptr) {
    co_await scenario(**broker, *client);
    co_await client->Close();
  }
  co_return co_await (*broker)->Stop();
}

inline void WithBroker(Scenario scenario, BrokerConfig config = TestConfig(), uint64_t seed = 1, size_t shards = 2) {
  const absl::Status status =
      sim::RunInWorld(seed, shards, [&config, scenario]() { return RunScenario(config, scenario); });
  EXPECT_TRUE(status.ok()) << status;
}

/// As a Java client sends by default.
inline net::SendMessageV2Request SendTo(std::string_view topic, int32_t queue_id, std::string_view properties = {}) {
  net::SendMessageV2Request request;
  request.producer_group = "producers";
  request.topic = topic;
  request.default_topic = "TBW102";
  request.default_topic_queue_nums = 4;
  request.queue_id = queue_id;
  request.born_timestamp = 1234;
  request.properties = properties;
  return request;
}

inline net::PullMessageRequest PullFrom(std::string_view topic, int32_t queue_id, int64_t offset,
                                        std::string_view expression = "*") {
  net::PullMessageRequest request;
  request.consumer_group = "consumers";
  request.topic = topic;
  request.queue_id = queue_id;
  request.queue_offset = offset;
  request.max_msg_nums = 32;
  request.sys_flag = 4;  // the subscription is that of the request
  request.subscription = expression;
  return request;
}

inline std::vector<store::RecordView> RecordsOf(std::string_view body) {
  std::vector<store::RecordView> records;
  while (!body.empty()) {
    const absl::StatusOr<store::RecordView> record = store::ParseRecord(std::as_bytes(std::span(body.data(), body.size())));
    EXPECT_TRUE(record.ok()) << record.status();
    if (!record.ok()) break;
    records.push_back(*record);
    body.remove_prefix(record->bytes);
  }
  return records;
}

inline std::string BodyOf(const store::RecordView& record) {
  return std::string(reinterpret_cast<const char*>(record.body.data()), record.body.size());
}

inline std::string PropertyOf(std::string_view properties, std::string_view wanted) {
  std::string found;
  ForEachProperty(properties, [&](std::string_view name, std::string_view value) {
    if (name == wanted) found = value;
  });
  return found;
}

}  // namespace broker::testing
