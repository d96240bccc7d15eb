#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace core {

/// One `key=value` of a file or of the command line.
struct Property {
  std::string key;
  std::string value;
  int line = 0;  // where it begins, from 1; of a command line the number of the argument
  friend bool operator==(const Property&, const Property&) = default;
};

/// Java's .properties format: comments after # or !, `key=value`, `key:value` or `key value`, lines that end in a backslash go on, escapes
/// (\t \n \r \f \uXXXX, else the character itself). Blanks around keys and before values are dropped as in Java, behind values too. UTF-8.
/// The same key twice is two properties. kInvalidArgument, beginning with "line N: ", for what Java would swallow in silence: a line
/// without separator, without key, a broken \u. Source: java.util.Properties.load.
absl::StatusOr<std::vector<Property>> ParseProperties(std::string_view text);

/// `key=value`, one of the command line. kInvalidArgument without = or key.
absl::StatusOr<Property> ParseAssignment(std::string_view text);

}  // namespace core
