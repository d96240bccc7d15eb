#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "broker/message_properties.h"

namespace broker::testing {

/// Properties as a message carries them.
inline std::string Properties(std::initializer_list<std::pair<std::string_view, std::string_view>> properties) {
  std::string text;
  for (const auto& [name, value] : properties) AppendProperty(text, name, value);
  return text;
}

}  // namespace broker::testing
