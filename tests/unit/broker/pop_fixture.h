#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/pop/receipt.h"
#include "core/strings.h"
#include "core/sync.h"
#include "net/requests/pop.h"
#include "tests/unit/broker/broker_fixture.h"

// Pops as the Java client of 5.3.3 makes them: the receipt of each message from the lists in the answer, or from its POP_CK.

namespace broker::testing {

inline net::PopMessageRequest PopFrom(std::string_view topic, int64_t invisible_ms, int64_t poll_ms = 0) {
  net::PopMessageRequest request;
  request.consumer_group = "poppers";
  request.topic = topic;
  request.queue_id = -1;
  request.max_msg_nums = 32;
  request.invisible_time = invisible_ms;
  request.poll_time = poll_ms;
  request.born_time = core::Reactor::Current().wall_now();
  request.init_mode = 0;
  request.expression_type = "TAG";
  request.expression = "*";
  return request;
}

/// A message as a client has it.
struct Popped {
  std::string body;
  std::string topic;  // its real one: perhaps the retry topic
  int32_t queue_id = 0;
  int64_t offset = 0;
  int32_t reconsume_times = 0;
  std::string receipt;
  std::string properties;
};

inline std::map<std::string, std::vector<std::string>> ListOf(const std::string& info) {
  std::map<std::string, std::vector<std::string>> list;
  size_t at = 0;
  while (at < info.size()) {
    const size_t end = std::min(info.find(';', at), info.size());
    const std::string entry = info.substr(at, end - at);
    const size_t first = entry.find(' ');
    const size_t second = entry.find(' ', first + 1);
    std::vector<std::string>& values = list[entry.substr(0, second)];
    for (size_t from = second + 1; from <= entry.size();) {
      const size_t comma = std::min(entry.find(',', from), entry.size());
      values.push_back(entry.substr(from, comma - from));
      from = comma + 1;
    }
    at = end + 1;
  }
  return list;
}

inline std::vector<Popped> MessagesOf(const Answer& answer, std::string_view topic,
                                      std::string_view group = "poppers") {
  std::vector<Popped> messages;
  const auto starts = ListOf(answer.fields.contains("startOffsetInfo") ? answer.fields.at("startOffsetInfo") : "");
  const auto offsets = ListOf(answer.fields.contains("msgOffsetInfo") ? answer.fields.at("msgOffsetInfo") : "");
  size_t listed = 0;
  for (const auto& [key, values] : offsets) listed += values.size();
  for (const store::RecordView& record : RecordsOf(answer.body)) {
    Popped one;
    one.body = BodyOf(record);
    one.queue_id = record.queue_id;
    one.offset = record.queue_offset.value();
    one.reconsume_times = record.reconsume_times;
    one.properties = record.properties;
    one.receipt = PropertyOf(record.properties, "POP_CK");
    EXPECT_EQ(record.topic, topic);
    EXPECT_TRUE(record.BodyIntact());
    if (one.receipt.empty()) {
      const std::string key = core::StrCat("0 ", one.queue_id);
      EXPECT_TRUE(starts.contains(key)) << key;
      one.receipt = core::StrCat(starts.contains(key) ? starts.at(key).front() : "0", " ", answer.fields.at("popTime"),
                                 " ", answer.fields.at("invisibleTime"), " ", answer.fields.at("reviveQid"),
                                 " 0 broker-a ", one.queue_id, " ", one.offset);
    }
    const absl::StatusOr<PopReceipt> receipt = PopReceipt::Parse(one.receipt);
    EXPECT_TRUE(receipt.ok()) << one.receipt;
    one.topic = receipt.ok() && receipt->topic_kind == '1' ? PopRetryTopicOf(topic, group) : std::string(topic);
    messages.push_back(std::move(one));
  }
  EXPECT_EQ(listed, messages.size());
  return messages;
}

inline core::Task<std::vector<Popped>> Pop(net::Client& client, net::PopMessageRequest request) {
  const Answer answer = co_await Ask(client, request);
  EXPECT_TRUE(answer.code == 0 || answer.code == 210 || answer.code == 209) << answer.code << " " << answer.remark;
  for (const char* field : {"popTime", "invisibleTime", "reviveQid", "restNum"})
    EXPECT_TRUE(answer.Has(field)) << field;
  co_return MessagesOf(answer, request.topic, request.consumer_group);
}

inline net::AckMessageRequest AckOf(const Popped& message) {
  net::AckMessageRequest request;
  request.consumer_group = "poppers";
  request.topic = message.topic;
  request.queue_id = message.queue_id;
  request.extra_info = message.receipt;
  request.offset = message.offset;
  return request;
}

inline net::ChangeInvisibleTimeRequest ChangeOf(const Popped& message, int64_t invisible_ms) {
  net::ChangeInvisibleTimeRequest request;
  request.consumer_group = "poppers";
  request.topic = message.topic;
  request.queue_id = message.queue_id;
  request.extra_info = message.receipt;
  request.offset = message.offset;
  request.invisible_time = invisible_ms;
  return request;
}

/// The receipt after a change, as clients make it. Source: RocketMQ 5.3.3 MQClientAPIImpl.changeInvisibleTimeAsync.
inline std::string ReceiptAfter(const Popped& message, const Answer& change) {
  PopReceipt receipt = *PopReceipt::Parse(message.receipt);
  receipt.start_offset = message.offset;
  receipt.pop_time = change.Number("popTime");
  receipt.invisible_time = change.Number("invisibleTime");
  return receipt.Text();
}

inline core::Task<void> SendMany(net::Client& client, std::string_view topic, int queues, int each,
                                 std::string_view prefix = "m") {
  for (int32_t queue = 0; queue < queues; ++queue) {
    for (int i = 0; i < each; ++i) {
      const Answer sent = co_await Ask(client, SendTo(topic, queue), core::StrCat(prefix, queue, ".", i));
      EXPECT_EQ(sent.code, 0) << sent.remark;
    }
  }
}

}  // namespace broker::testing
