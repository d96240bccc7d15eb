#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/time.h"
#include "net/json.h"

namespace broker {

/// The version of a table of configuration, compared as a whole by nameservers and slaves. Source: RocketMQ 5.3.3 DataVersion.
struct DataVersion {
  int64_t state_version = 0;
  core::WallMillis timestamp = 0;
  int64_t counter = 0;

  /// The version after a change made at `now`.
  void Next(core::WallMillis now) {
    timestamp = now;
    ++counter;
  }
  /// {"counter":3,"stateVersion":0,"timestamp":1795227053207}
  std::string ToJson() const;
  void WriteJson(net::JsonWriter& json) const;
  static absl::StatusOr<DataVersion> FromJson(std::string_view json);
  friend bool operator==(const DataVersion&, const DataVersion&) = default;
};

}  // namespace broker
