// Any request body is a document or an error, and every value of it can be looked at.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/json.h"

namespace {

size_t LookAt(const net::JsonValue& value, int depth, size_t& budget) {
  if (budget == 0 || depth > 3 * net::JsonDocument::kDepthMax) return 0;
  --budget;
  size_t seen =
      value.text().size() + static_cast<size_t>(value.AsInt().has_value()) + static_cast<size_t>(value.BoolOr(false));
  seen += value.DoubleOr(0) > 1 ? 1 : 0;
  for (const net::JsonValue& item : value.items()) seen += LookAt(item, depth + 1, budget);
  for (const net::JsonMember& member : value.members()) {
    seen += LookAt(member.key, depth + 1, budget) + LookAt(member.value, depth + 1, budget);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<net::JsonDocument> document =
      net::JsonDocument::Parse(std::string_view(reinterpret_cast<const char*>(data), size));
  size_t budget = 100'000;
  if (document.ok()) (void)LookAt(document->root(), 0, budget);
  return 0;
}
