// Any text is a SQL92 expression or refused, at a place inside it; what is compiled judges any properties, and the same way twice. The input: the expression, a zero
// byte, the properties.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/sql/filter.h"
#include "broker/sql/value.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const std::string_view expression = input.substr(0, end);
  const std::string_view properties = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  (void)broker::sql::ReadInteger(expression);
  (void)broker::sql::ReadReal(expression);
  const absl::StatusOr<std::shared_ptr<const broker::sql::Filter>> filter = broker::sql::Filter::Compile(expression);
  if (!filter.ok()) {
    if (filter.status().message().empty()) abort();
    return 0;
  }
  const bool passes = (*filter)->Matches(properties);
  if ((*filter)->Matches(properties) != passes) abort();
  // The opposite of what is true is not true as well.
  const auto opposite = broker::sql::Filter::Compile("NOT (" + std::string(expression) + "\n)");
  if (opposite.ok() && passes && (*opposite)->Matches(properties)) abort();
  return 0;
}
