#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "broker/sql/filter.h"
#include "broker/string_map.h"

namespace broker::sql {

/// Expressions that come with each pull are compiled once. One shard. What was not asked for while kGenerationMax others were, or kGenerationBytesMax of them, is
/// forgotten.
class FilterCache {
 public:
  static constexpr size_t kGenerationMax = 512;
  static constexpr size_t kGenerationBytesMax = size_t{1} << 20;

  /// As Filter::Compile.
  absl::StatusOr<std::shared_ptr<const Filter>> Get(std::string_view expression);

  size_t size() const { return young_.size() + old_.size(); }

 private:
  using Generation = StringMap<std::shared_ptr<const Filter>>;
  Generation young_;
  Generation old_;
  size_t young_bytes_ = 0;
};

}  // namespace broker::sql
