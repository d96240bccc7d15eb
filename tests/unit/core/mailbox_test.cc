// Goal: the only structure that two threads touch: nothing is lost, doubled or reordered, and no sleeper is left asleep.
#include "core/mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <thread>
#include <vector>

namespace core {
namespace {

struct Numbered final : ShardMessage {
  void Run() noexcept override { seen->push_back(number); }
  int number = 0;
  std::vector<int>* seen = nullptr;
};

constexpr int kMessages = 200'000;

// Two threads, each sender to the other, with far more under way than a ring holds. Catches a ring that publishes a slot before it is
// written (TSan), overflow that overtakes the ring, a message popped twice.
TEST(MailboxTest, MessagesArriveOnceAndInOrderBetweenThreads) {
  Mailboxes boxes(2);
  std::vector<std::vector<Numbered>> messages(2);
  std::vector<std::vector<int>> seen(2);
  for (size_t side = 0; side < 2; ++side) {
    messages[side] = std::vector<Numbered>(kMessages);
    for (int i = 0; i < kMessages; ++i) messages[side][static_cast<size_t>(i)].number = i;
    for (Numbered& message : messages[side]) message.seen = &seen[1 - side];
  }
  const auto run = [&](uint32_t side) {
    const ShardId own(side), other(1 - side);
    size_t sent = 0;
    while (sent < kMessages || seen[side].size() < kMessages || boxes.HasOverflow(own)) {
      for (int burst = 0; burst < 700 && sent < kMessages; ++burst) boxes.Send(own, other, messages[side][sent++]);
      boxes.FlushWakes(own, [](ShardId) {});
      if (boxes.Receive(own) == 0) std::this_thread::yield();
    }
  };
  std::thread peer([&] { run(1); });
  run(0);
  peer.join();
  for (size_t side = 0; side < 2; ++side) {
    ASSERT_EQ(seen[side].size(), static_cast<size_t>(kMessages));
    for (int i = 0; i < kMessages; ++i) ASSERT_EQ(seen[side][static_cast<size_t>(i)], i);
  }
}

// One side sleeps whenever it may. Catches a wake-up that is missed between the look at the ring and the flag: the test would hang.
TEST(MailboxTest, ASleeperIsAlwaysWoken) {
  Mailboxes boxes(2);
  std::vector<Numbered> messages(kMessages / 10);
  std::vector<int> seen;
  for (size_t i = 0; i < messages.size(); ++i) {
    messages[i].number = static_cast<int>(i);
    messages[i].seen = &seen;
  }
  std::counting_semaphore<> bell(0);
  std::atomic<size_t> slept{0};
  std::thread receiver([&] {
    while (seen.size() < messages.size()) {
      boxes.Receive(ShardId(1));
      if (seen.size() == messages.size()) break;
      if (boxes.MarkSleeping(ShardId(1))) {
        slept.fetch_add(1);
        bell.acquire();
      }
      boxes.MarkAwake(ShardId(1));
    }
  });
  while (slept.load() == 0) std::this_thread::yield();  // once at least, however busy the machine is
  for (size_t i = 0; i < messages.size(); ++i) {
    boxes.Send(ShardId(0), ShardId(1), messages[i]);
    boxes.FlushWakes(ShardId(0), [&](ShardId) { bell.release(); });
    if (i % 64 == 0) std::this_thread::yield();
  }
  while (boxes.HasOverflow(ShardId(0))) boxes.FlushWakes(ShardId(0), [&](ShardId) { bell.release(); });
  receiver.join();
  EXPECT_EQ(seen.size(), messages.size());
  EXPECT_GT(slept.load(), 0U);
}

// Catches a wake for a shard that does not sleep (a system call for nothing), and more than one a flush.
TEST(MailboxTest, OnlySleepersAreWokenAndOnce) {
  Mailboxes boxes(3);
  std::vector<int> seen;
  Numbered a, b;
  a.seen = b.seen = &seen;
  boxes.Send(ShardId(0), ShardId(1), a);
  int wakes = 0;
  boxes.FlushWakes(ShardId(0), [&](ShardId) { ++wakes; });
  EXPECT_EQ(wakes, 0);
  EXPECT_FALSE(boxes.MarkSleeping(ShardId(1)));  // a message waits
  EXPECT_EQ(boxes.Receive(ShardId(1)), 1U);
  EXPECT_TRUE(boxes.MarkSleeping(ShardId(1)));
  boxes.Send(ShardId(0), ShardId(1), a);
  boxes.Send(ShardId(0), ShardId(1), b);
  boxes.FlushWakes(ShardId(0), [&](ShardId target) {
    ++wakes;
    EXPECT_EQ(target, ShardId(1));
  });
  EXPECT_EQ(wakes, 1);
}

struct Owned final : ShardMessage {
  explicit Owned(int& c) : count(c) { ++count; }
  ~Owned() { --count; }
  void Run() noexcept override { delete this; }
  void Discard() noexcept override { delete this; }
  int& count;
};

// Catches values that leak when a process dies while they are on their way, in the ring and beyond it.
TEST(MailboxTest, DiscardFreesWhatIsUnderWay) {
  Mailboxes boxes(2);
  int alive = 0;
  for (size_t i = 0; i < SpscRing::kCapacity + 100; ++i) boxes.Send(ShardId(0), ShardId(1), *new Owned(alive));
  EXPECT_TRUE(boxes.HasOverflow(ShardId(0)));
  boxes.DiscardAll();
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(boxes.HasOverflow(ShardId(0)));
  EXPECT_EQ(boxes.Receive(ShardId(1)), 0U);
}

}  // namespace
}  // namespace core
