#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace history {

/// Times are nanoseconds of the one monotonic clock of the machine that ran the test. -1: the event does not say.
inline constexpr int64_t kAbsent = -1;

enum class Phase : uint8_t { kInvoke, kOk, kFail, kInfo };
enum class Function : uint8_t {
  kSend,
  kPull,
  kCommit,
  kLock,
  kUnlock,
  kAck,
  kCreateTopic,
  kEndTx,
  kAssign,
  kFlush,
  kNemesis
};
enum class Role : uint8_t { kMaster, kSlave, kOther };
enum class Transaction : uint8_t { kNone, kHalf, kCommit, kRollback };

/// One message of a pull's answer.
struct Message {
  int64_t offset = kAbsent;
  int64_t phy = kAbsent;
  std::string_view value;  // empty: the body is nothing that a producer of this history writes
  uint64_t hash = 0;       // of body and properties; 0: not given
  int64_t reconsume_times = 0;
};

/// One line of a history; README.md says what each field means for which function. Text is borrowed.
struct Event {
  int64_t t = kAbsent;
  std::string_view worker;
  int64_t op = kAbsent;
  Phase phase = Phase::kInvoke;
  Function function = Function::kSend;
  std::string_view client;
  std::string_view group;  // a pull without a group is the harness's own reading
  std::string_view queue;  // "topic/queueId"
  std::string_view value;  // nemesis: what it does
  uint64_t hash = 0;
  int64_t offset = kAbsent;
  int64_t phy = kAbsent;
  int64_t code = kAbsent;
  Role role = Role::kMaster;
  bool asynchronous = false;  // ASYNC_FLUSH; what is not said is taken for the stronger promise
  int64_t copies = 1;
  int64_t attempts = 1;   // how often a client may send this value
  int64_t due = kAbsent;  // a delayed message is not to be seen before this time
  Transaction transaction = Transaction::kNone;
  int64_t from = kAbsent;
  int64_t next = kAbsent;
  int64_t min = kAbsent;
  int64_t max = kAbsent;
  int64_t wait_ms = 0;    // how long the broker may hold the pull
  bool filtered = false;  // not every message of the queue is wanted
  bool redelivery = false;
  std::vector<Message> messages;
};

}  // namespace history
