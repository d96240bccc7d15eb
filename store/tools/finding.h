#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace store::tools {

/// How much it matters.
enum class Severity {
  kNote,      // not as one might expect, and nothing is wrong
  kTornTail,  // what a crash leaves at an end: recovery cuts it, nothing of it was promised as durable
  kDamage,    // bytes that were durable are not what they were
};

/// Messages of one queue that can't be read any more: offsets [first, end).
struct LostRange {
  std::string topic = {};  // empty: known by hash alone
  int32_t queue_id = 0;
  uint64_t queue_hash = 0;
  int64_t first = 0;
  int64_t end = 0;
};

/// One thing found in a data folder.
struct Finding {
  Severity severity = Severity::kDamage;
  std::string file = {};  // below the data folder
  uint64_t begin = 0;     // bytes of that file
  uint64_t end = 0;
  std::string what = {};             // is wrong
  uint64_t records = 0;              // messages that it costs
  std::vector<LostRange> lost = {};  // those of them whose queue offsets are known
  std::string effect = {};           // what the broker makes of it, and what it means for who runs it
};

}  // namespace store::tools
