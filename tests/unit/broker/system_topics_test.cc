#include "broker/system_topics.h"

#include <gtest/gtest.h>

namespace broker {
namespace {

TEST(SystemTopicsTest, WhichTheyAre) {
  EXPECT_TRUE(IsSystemTopic("TBW102"));
  EXPECT_TRUE(IsSystemTopic("rmq_sys_anything"));
  EXPECT_FALSE(IsSystemTopic("Topic1"));
  EXPECT_TRUE(IsForbiddenToSend("SCHEDULE_TOPIC_XXXX"));
  EXPECT_FALSE(IsForbiddenToSend("TBW102"));  // RocketMQ lets it, too
}

}  // namespace
}  // namespace broker
