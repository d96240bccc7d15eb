#pragma once

#include <cstdint>
#include <string>

namespace bench {

enum class Mode { kProduce, kConsume, kTail, kLatency, kNull };

/// What load to make. Every figure printed names the options that shaped it.
struct Options {
  Mode mode = Mode::kProduce;
  std::string namesrv = "127.0.0.1:9876";  // empty when `broker` is given
  std::string broker;                      // skips the nameserver
  std::string topic = "RingMQBench";
  std::string group = "RingMQBenchGroup";
  int32_t topics = 1;  // produce: more than one are named TOPIC-0, TOPIC-1 ..., and connections take them in turn
  int32_t queues = 8;  // of each topic
  bool create_topic = true;
  int32_t connections = 4;
  int32_t in_flight = 64;  // per connection
  int32_t size = 1024;     // bytes of a body
  int32_t batch = 1;       // messages in one request
  double rate = 0;         // messages a second over all connections, open loop; 0: closed loop
  double deliver_rate = 0;  // produce: above 0 they are timer messages, and so many become due a second
  double deliver_after_seconds = 60;  // the first one, from the start
  double seconds = 10;
  double warmup_seconds = 2;
  int64_t messages = 0;  // stop after that many instead of `seconds`; consume: 0 = until the backlog is drained
  int32_t threads = 1;
  int64_t pid = 0;  // of the broker, for its CPU time and memory
  uint16_t port = 0;  // kNull: where to listen; 0 picks one
  bool json = false;
  bool quiet = false;  // no progress line
};

/// The topic of the connection with that number.
std::string TopicOf(const Options& options, int32_t connection);

/// Exit code to return at once (help printed, wrong usage), or -1 to go on.
int ParseOptions(int argc, char** argv, Options* options);

}  // namespace bench
