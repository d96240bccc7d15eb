// history_generate: a valid history of many events, to measure the checker with (measure.py).
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr int kWorkers = 8;
constexpr int kQueues = 64;
constexpr uint64_t kPulled = 16;  // messages a pull

struct Queue {
  uint64_t end = 0;
  uint64_t read = 0;  // by the one consumer group
  std::vector<uint64_t> values;
};

/// Eight producers take turns, each with its send acknowledged after the next one has begun; a consumer follows; a scan at the end.
class Generator {
 public:
  void Run(uint64_t events_wanted) {
    // A message costs two events, and two for each kPulled of them to consume and to scan.
    const uint64_t messages = events_wanted * kPulled / (2 * kPulled + 4);
    for (uint64_t i = 0; i < messages; ++i) {
      Invoke(i);
      if (i > 0) Acknowledge(i - 1);
      Queue& queue = queues_[i % kQueues];
      if (queue.end - queue.read > kPulled) Pull(i % kQueues, queue.read, "c", "\"g\":\"g\",");
    }
    if (messages > 0) Acknowledge(messages - 1);
    std::printf("{\"t\":%" PRIu64 ",\"w\":\"n\",\"ph\":\"info\",\"f\":\"nemesis\",\"v\":\"scan\"}\n", t_ += 100);
    for (uint64_t number = 0; number < kQueues; ++number) {
      uint64_t at = 0;
      do {
        Pull(number, at, "scan", "");
      } while (at < queues_[number].end);
    }
    std::fprintf(stderr, "%" PRIu64 " events, %" PRIu64 " messages\n", events_, messages);
  }

 private:
  void Invoke(uint64_t i) {
    const uint64_t worker = i % kWorkers;
    std::printf("{\"t\":%" PRIu64 ",\"w\":\"p%" PRIu64 "\",\"op\":%" PRIu64
                ",\"ph\":\"invoke\",\"f\":\"send\",\"c\":\"10.0.0.%" PRIu64 ":5001\",\"k\":\"topic/%" PRIu64
                "\",\"v\":\"r1.p%" PRIu64 ".%" PRIu64 "\",\"h\":\"%016" PRIx64
                "\",\"size\":1024,\"store\":\"SYNC\",\"repl\":1}\n",
                t_ += 100, worker, i, worker, i % kQueues, worker, i, HashOf(i));
    ++events_;
  }
  void Acknowledge(uint64_t i) {
    Queue& queue = queues_[i % kQueues];
    std::printf("{\"t\":%" PRIu64 ",\"w\":\"p%" PRIu64 "\",\"op\":%" PRIu64
                ",\"ph\":\"ok\",\"f\":\"send\",\"off\":%" PRIu64 ",\"phy\":%" PRIu64
                ",\"msgId\":\"7F00000100002A9F%016" PRIX64 "\",\"code\":0}\n",
                t_ += 100, i % kWorkers, i, queue.end++, i * 1200, i * 1200);
    queue.values.push_back(i);
    ++events_;
  }
  void Pull(uint64_t number, uint64_t& from, const char* worker, const char* group) {
    const Queue& queue = queues_[number];
    const uint64_t op = pulls_++;
    std::printf("{\"t\":%" PRIu64 ",\"w\":\"%s\",\"op\":%" PRIu64
                ",\"ph\":\"invoke\",\"f\":\"pull\",%s\"k\":\"topic/%" PRIu64 "\",\"from\":%" PRIu64 "}\n",
                t_ += 100, worker, op, group, number, from);
    const uint64_t next = from + kPulled < queue.end ? from + kPulled : queue.end;
    std::printf("{\"t\":%" PRIu64 ",\"w\":\"%s\",\"op\":%" PRIu64
                ",\"ph\":\"ok\",\"f\":\"pull\",\"code\":0,\"next\":%" PRIu64 ",\"min\":0,\"max\":%" PRIu64
                ",\"msgs\":[",
                t_ += 100, worker, op, next, queue.end);
    for (uint64_t at = from; at < next; ++at) {
      const uint64_t i = queue.values[at];
      std::printf("%s{\"off\":%" PRIu64 ",\"phy\":%" PRIu64 ",\"v\":\"r1.p%" PRIu64 ".%" PRIu64 "\",\"h\":\"%016" PRIx64
                  "\"}",
                  at == from ? "" : ",", at, i * 1200, i % kWorkers, i, HashOf(i));
    }
    std::printf("]}\n");
    from = next;
    events_ += 2;
  }
  static uint64_t HashOf(uint64_t i) { return (i + 1) * 0x9E3779B97F4A7C15U; }

  uint64_t t_ = 1'000'000'000;
  uint64_t events_ = 1;  // with the nemesis' one
  uint64_t pulls_ = 0;
  Queue queues_[kQueues];
};

}  // namespace

int main(int argc, char** argv) {
  const uint64_t events = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (events == 0) {
    std::fputs("usage: history_generate EVENTS > FILE\n", stderr);
    return 2;
  }
  Generator().Run(events);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
