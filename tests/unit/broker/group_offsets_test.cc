#include "broker/group_offsets.h"

#include <string>

#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"

// What tools read and copy of the offsets of groups, and what they see of a queue's index.

namespace broker::testing {
namespace {

core::Task<void> Commit(net::Client& client, std::string_view group, std::string_view topic, int32_t queue, int64_t offset) {
  net::UpdateConsumerOffsetRequest request;
  request.consumer_group = group;
  request.topic = topic;
  request.queue_id = queue;
  request.commit_offset = offset;
  EXPECT_EQ((co_await Ask(client, request)).code, 0);
}

core::Task<int64_t> Committed(net::Client& client, std::string_view group, std::string_view topic, int32_t queue) {
  net::QueryConsumerOffsetRequest request;
  request.consumer_group = group;
  request.topic = topic;
  request.queue_id = queue;
  request.set_zero_if_not_found = false;
  const Answer answer = co_await Ask(client, request);
  co_return answer.code == 0 ? answer.Number("offset") : -1;
}

core::Task<void> MakeGroups(Broker& broker, std::vector<std::string> names) {
  std::vector<GroupConfig> groups;
  for (std::string& name : names) {
    GroupConfig group;
    group.name = std::move(name);
    groups.push_back(std::move(group));
  }
  EXPECT_TRUE((co_await broker.catalog_writer().PutGroups(std::move(groups))).ok());
}

core::Task<void> MakeTopics(net::Client& client) {
  for (const char* topic : {"Topic1", "Topic2"}) {
    for (int32_t queue = 0; queue < 4; ++queue) {
      for (int i = 0; i < 3; ++i) EXPECT_EQ((co_await Ask(client, SendTo(topic, queue), "body")).code, 0);
    }
  }
}

net::CloneGroupOffsetRequest CloneOf(std::string_view source, std::string_view target) {
  net::CloneGroupOffsetRequest request;
  request.source_group = source;
  request.target_group = target;
  return request;
}

core::Task<void> Clone(Broker& broker, net::Client& client) {
  co_await MakeTopics(client);
  co_await MakeGroups(broker, {"from"});
  for (int32_t queue = 0; queue < 4; ++queue) {
    co_await Commit(client, "from", "Topic1", queue, queue);
    co_await Commit(client, "from", "Topic2", queue, 3);
  }
  net::CloneGroupOffsetRequest request = CloneOf("from", "to");
  request.topic = "Topic1";
  EXPECT_EQ((co_await Ask(client, request)).code, 0);
  for (int32_t queue = 0; queue < 4; ++queue) {
    EXPECT_EQ(co_await Committed(client, "to", "Topic1", queue), queue);
    EXPECT_EQ(co_await Committed(client, "to", "Topic2", queue), -1);
    EXPECT_EQ(co_await Committed(client, "from", "Topic1", queue), queue);
  }
  EXPECT_EQ((co_await Ask(client, CloneOf("from", "all"))).code, 0);
  EXPECT_EQ(co_await Committed(client, "all", "Topic1", 3), 3);
  EXPECT_EQ(co_await Committed(client, "all", "Topic2", 1), 3);

  EXPECT_EQ((co_await Ask(client, CloneOf("nobody", "to"))).code, 26);
  EXPECT_NE((co_await Ask(client, CloneOf("from", "bad/group"))).code, 0);
  request.topic = "Nowhere";
  EXPECT_EQ((co_await Ask(client, request)).code, 17);
}
TEST(GroupOffsetsTest, ACloneBeginsWhereItsSourceIs) { WithBroker(Administrator<Clone>); }

core::Task<void> CloneOnline(Broker& broker, net::Client& client) {
  co_await MakeTopics(client);
  co_await MakeGroups(broker, {"from"});
  co_await Commit(client, "from", "Topic1", 0, 1);
  co_await Commit(client, "from", "Topic2", 0, 2);
  const std::string heartbeat =
      R"({"clientID":"c1","consumerDataSet":[{"groupName":"from","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",)"
      R"("consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"topic":"Topic1","subString":"*","tagsSet":[],)"
      R"("codeSet":[],"subVersion":1,"expressionType":"TAG"}]}],"producerDataSet":[]})";
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, heartbeat)).code, 0);
  EXPECT_EQ((co_await Ask(client, CloneOf("from", "to"))).code, 0);
  EXPECT_EQ(co_await Committed(client, "to", "Topic1", 0), 1);
  EXPECT_EQ(co_await Committed(client, "to", "Topic2", 0), -1) << "its source does not consume this any more";
  net::CloneGroupOffsetRequest request = CloneOf("from", "to");
  request.offline = true;
  EXPECT_EQ((co_await Ask(client, request)).code, 0);
  EXPECT_EQ(co_await Committed(client, "to", "Topic2", 0), 2);
}
TEST(GroupOffsetsTest, WhatASourceHasUnsubscribedFromIsNotCloned) { WithBroker(Administrator<CloneOnline>); }

core::Task<void> Correction(Broker& broker, net::Client& client) {
  co_await MakeTopics(client);
  co_await MakeGroups(broker, {"a", "b", "c"});
  co_await Commit(client, "a", "Topic1", 0, 1);
  co_await Commit(client, "b", "Topic1", 0, 3);
  co_await Commit(client, "a", "Topic1", 1, 2);
  co_await Commit(client, "c", "Topic1", 1, 1);
  co_await Commit(client, "c", "Topic2", 2, 1);
  net::QueryCorrectionOffsetRequest request;
  request.topic = "Topic1";
  request.compare_group = "b";
  EXPECT_EQ((co_await Ask(client, request)).body, R"({"correctionOffsets":{0:1,1:1}})");
  request.filter_groups = "c,nobody";
  EXPECT_EQ((co_await Ask(client, request)).body, R"({"correctionOffsets":{0:1,1:2}})");
  EXPECT_EQ(co_await Committed(client, "c", "Topic1", 1), 1) << "left out, not deleted";
  request.compare_group = "c";
  EXPECT_EQ((co_await Ask(client, request)).body, R"({"correctionOffsets":{0:1,1:9223372036854775807}})") << "c is behind all others";
  request.topic = "Nowhere";
  const Answer nothing = co_await Ask(client, request);
  EXPECT_EQ(nothing.code, 0);
  EXPECT_EQ(nothing.body, R"({"correctionOffsets":{}})");
}
TEST(GroupOffsetsTest, ACorrectionIsTheLowestOffset) { WithBroker(Administrator<Correction>); }

core::Task<void> All(Broker& broker, net::Client& client) {
  co_await MakeTopics(client);
  co_await MakeGroups(broker, {"a", "b"});
  const std::string version = R"("dataVersion":{"counter":0,"stateVersion":0,"timestamp":0})";
  EXPECT_EQ((co_await Ask(client, net::GetAllConsumerOffsetRequest{})).body, "{" + version + R"(,"offsetTable":{}})");
  for (int32_t queue = 3; queue >= 0; --queue) co_await Commit(client, "b", "Topic1", queue, queue);
  co_await Commit(client, "a", "Topic2", 1, 2);
  EXPECT_EQ((co_await Ask(client, net::GetAllConsumerOffsetRequest{})).body,
            "{" + version + R"(,"offsetTable":{"Topic1@b":{0:0,1:1,2:2,3:3},"Topic2@a":{1:2}}})");
}
TEST(GroupOffsetsTest, TheWholeTableOfAllShards) { WithBroker(Administrator<All>); }

net::QueryConsumeQueueRequest EntriesOf(int32_t queue, int64_t index, int32_t count) {
  net::QueryConsumeQueueRequest request;
  request.topic = "Topic1";
  request.queue_id = queue;
  request.index = index;
  request.count = count;
  return request;
}

core::Task<void> Entries(Broker&, net::Client& client) {
  for (const std::string tag : {"A", "B", "A"}) {
    std::string properties;
    AppendProperty(properties, "TAGS", tag);
    EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 1, properties), "body of " + tag)).code, 0);
  }
  const Answer pulled = co_await Ask(client, PullFrom("Topic1", 1, 0));  // what the records point into
  const std::vector<store::RecordView> records = RecordsOf(pulled.body);
  EXPECT_EQ(records.size(), 3u);
  const auto entry = [&records](size_t i, bool passes, int tag) {
    return std::string(R"({"eval":)") + (passes ? "true" : "false") + R"(,"physicOffset":)" + std::to_string(records[i].position.value()) +
           R"(,"physicSize":)" + std::to_string(records[i].bytes) + R"(,"tagsCode":)" + std::to_string(tag) + "}";
  };
  EXPECT_EQ((co_await Ask(client, EntriesOf(1, 1, 10))).body,
            R"({"maxQueueIndex":3,"minQueueIndex":0,"queueData":[)" + entry(1, false, 66) + "," + entry(2, false, 65) + "]}");
  const Answer two = co_await Ask(client, EntriesOf(1, 0, 2));
  EXPECT_EQ(two.body, R"({"maxQueueIndex":3,"minQueueIndex":0,"queueData":[)" + entry(0, false, 65) + "," + entry(1, false, 66) + "]}");
  EXPECT_EQ(two.remark, "") << "as many as were asked for";

  for (const int64_t index : {int64_t{3}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    const Answer beyond = co_await Ask(client, EntriesOf(1, index, INT32_MAX));
    EXPECT_EQ(beyond.code, 0);
    EXPECT_EQ(beyond.body, R"({"maxQueueIndex":3,"minQueueIndex":0})") << index;
    EXPECT_NE(beyond.remark.find("is not exist"), std::string::npos);
  }
  EXPECT_EQ((co_await Ask(client, EntriesOf(4, 0, 1))).code, 1);
  EXPECT_EQ((co_await Ask(client, EntriesOf(-1, 0, 1))).code, 1);
  net::QueryConsumeQueueRequest request = EntriesOf(1, 0, -5);
  EXPECT_EQ((co_await Ask(client, request)).body, R"({"maxQueueIndex":3,"minQueueIndex":0,"queueData":[]})");
  request.topic = "Nowhere";
  EXPECT_EQ((co_await Ask(client, request)).code, 1);

  request = EntriesOf(1, 0, 3);
  request.consumer_group = "consumers";
  const std::string offline = (co_await Ask(client, request)).body;
  EXPECT_NE(offline.find(R"("filterData":"consumers@Topic1 is not online!")"), std::string::npos) << offline;
  const std::string heartbeat =
      R"({"clientID":"c1","consumerDataSet":[{"groupName":"consumers","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",)"
      R"("consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"topic":"Topic1","subString":"B","tagsSet":["B"],)"
      R"("codeSet":[66],"subVersion":100,"expressionType":"TAG"}]}],"producerDataSet":[]})";
  EXPECT_EQ((co_await Ask(client, net::HeartBeatRequest{}, heartbeat)).code, 0);
  const std::string online = (co_await Ask(client, request)).body;
  EXPECT_NE(online.find(entry(0, false, 65) + "," + entry(1, true, 66) + "," + entry(2, false, 65)), std::string::npos) << online;
  EXPECT_NE(online.find(R"("subString":"B")"), std::string::npos) << online;
}
TEST(QueueEntriesTest, AQueuesIndexAndWhatAGroupIsSentOfIt) { WithBroker(Administrator<Entries>); }

core::Task<void> ManyEntries(Broker&, net::Client& client) {
  for (int i = 0; i < 1100; ++i) EXPECT_EQ((co_await Ask(client, SendTo("Topic1", 0), "m")).code, 0);
  const Answer first = co_await Ask(client, EntriesOf(0, 10, INT32_MAX));
  EXPECT_EQ(first.remark, "there is more: ask again from index 1034 on");
  const Answer rest = co_await Ask(client, EntriesOf(0, 1034, INT32_MAX));
  EXPECT_EQ(rest.remark, "");
  size_t entries = 0;
  for (size_t at = rest.body.find("physicOffset"); at != std::string::npos; at = rest.body.find("physicOffset", at + 1)) ++entries;
  EXPECT_EQ(entries, 66u);
}
TEST(QueueEntriesTest, ALongListComesInParts) { WithBroker(Administrator<ManyEntries>); }

}  // namespace
}  // namespace broker::testing
