#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "core/io.h"
#include "core/sim/event_queue.h"
#include "core/sim/random.h"
#include "core/sim/sim_disk.h"
#include "core/sim/trace.h"

namespace sim {

inline constexpr int64_t kMicrosecond = 1'000;
inline constexpr int64_t kMillisecond = 1'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;

/// What all parts of a world share: the time, what will happen, and what has happened.
struct Clockwork {
  int64_t now = 0;  // nanoseconds since the world began
  EventQueue events;
  Trace trace;
  std::set<uint64_t> processes;  // alive

  /// `run` happens `delay` from now, unless `process` (0: none) is gone by then.
  void After(int64_t delay, uint64_t process, std::function<void()> run) {
    events.Add(now + delay, process, std::move(run));
  }
  void Note(const char* what, std::string_view node, uint32_t shard, uint64_t subject, int64_t result,
            std::string_view text = {}) {
    trace.Note(now, what, node, shard, subject, result, text);
  }
};

/// One simulated computer: what stays when its process dies.
struct Machine {
  Machine(uint32_t number, std::string machine_name, core::Endpoint ip, Random chance)
      : index(number), name(std::move(machine_name)), address(ip), disk(chance.Fork()), random(chance.Fork()) {
    next_port = static_cast<uint16_t>(random.Between(32768, 50000));
    wall_offset = random.Between(-200 * kMillisecond, 200 * kMillisecond);
    Boot();
  }
  void Boot() {
    powered = true;
    mono_offset = random.Between(kSecond, 100'000 * kSecond);
  }

  const uint32_t index;
  const std::string name;
  const core::Endpoint address;  // port 0
  SimDisk disk;
  Random random;
  bool powered = true;
  int64_t mono_offset = 0;  // its monotonic clock minus the world's
  int64_t wall_offset = 0;  // its wall clock minus the right time
  uint16_t next_port = 0;   // for connections that it opens
};

}  // namespace sim
