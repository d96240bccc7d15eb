#include "broker/sql/filter_cache.h"

#include <utility>

namespace broker::sql {

absl::StatusOr<std::shared_ptr<const Filter>> FilterCache::Get(std::string_view expression) {
  if (const auto found = young_.find(expression); found != young_.end()) return found->second;
  std::shared_ptr<const Filter> filter;
  if (const auto found = old_.find(expression); found != old_.end()) {
    filter = std::move(found->second);
    old_.erase(found);
  } else {
    absl::StatusOr<std::shared_ptr<const Filter>> compiled = Filter::Compile(expression);
    if (!compiled.ok()) return compiled;
    filter = *std::move(compiled);
  }
  const size_t bytes = filter->bytes() + expression.size();
  if (young_.size() == kGenerationMax || young_bytes_ + bytes > kGenerationBytesMax) {
    old_ = std::exchange(young_, {});
    young_bytes_ = 0;
  }
  young_bytes_ += bytes;
  young_.try_emplace(expression, filter);
  return filter;
}

}  // namespace broker::sql
