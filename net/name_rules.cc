#include "net/name_rules.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/strings.h"

namespace net {
namespace {

using CharacterSet = std::array<bool, 256>;

constexpr CharacterSet SetOf(std::string_view others) {
  CharacterSet set{};
  for (unsigned c = 'a'; c <= 'z'; ++c) set[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) set[c] = true;
  for (unsigned c = '0'; c <= '9'; ++c) set[c] = true;
  for (const char c : others) set[static_cast<uint8_t>(c)] = true;
  return set;
}
// Tables: every request with a name passes here.
constexpr CharacterSet kNameCharacters = SetOf("_-%|");
constexpr CharacterSet kRouteCharacters = SetOf("_-%|.");
constexpr CharacterSet kLabelCharacters = SetOf("_-%|.:@#$+~*!?=&()[]{}^,;");

bool AllOf(std::string_view name, const CharacterSet& set) {
  for (const char c : name) {
    if (!set[static_cast<uint8_t>(c)]) return false;
  }
  return true;
}

bool IsControl(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

// RocketMQ calls a name of blanks only "blank"; which characters count as blank is Java's business, so only the usual ones.
bool IsBlank(std::string_view name) { return name.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::optional<std::string> WrongName(std::string_view what, std::string_view name, const CharacterSet& set,
                                     size_t bytes_max, std::string_view too_long) {
  if (!name.empty() && name.size() <= bytes_max && AllOf(name, set)) return std::nullopt;
  if (IsBlank(name)) return core::StrCat("The specified ", what, " is blank.");
  if (!AllOf(name, set)) {
    return core::StrCat("The specified ", what, " contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$, not ",
                        Quoted(name));
  }
  return std::string(too_long);
}

bool IsLightName(std::string_view name, size_t bytes_max) {
  return name.starts_with(kLmqPrefix) && name.size() > kLmqPrefix.size() && name.size() <= bytes_max && name.find(',') == std::string_view::npos &&
         AllOf(name, kLabelCharacters);
}

size_t TopicBytesMax(std::string_view name) {
  const bool internal = name.starts_with("%RETRY%") || name.starts_with("%DLQ%");
  return internal ? kInternalTopicNameBytesMax : kTopicNameBytesMax;
}

}  // namespace

std::optional<std::string> WrongTopicName(std::string_view name) {
  return WrongName("topic", name, kNameCharacters, TopicBytesMax(name),
                   "The specified topic is longer than topic max length.");
}

std::optional<std::string> WrongTopicToUse(std::string_view name) {
  return IsLightName(name, kTopicNameBytesMax) ? std::nullopt : WrongTopicName(name);
}

std::optional<std::string> WrongGroupToUse(std::string_view name) {
  return IsLightName(name, kGroupNameBytesMax) ? std::nullopt : WrongGroupName(name);
}

std::optional<std::string> WrongGroupName(std::string_view name) {
  return WrongName("group", name, kNameCharacters, kGroupNameBytesMax,
                   "The specified group is longer than group max length.");
}

std::optional<std::string> WrongRouteName(std::string_view name) {
  return WrongName("topic", name, kRouteCharacters, kLabelBytesMax,
                   "The specified topic is longer than topic max length.");
}

std::optional<std::string> WrongLabel(std::string_view what, std::string_view name) {
  if (!name.empty() && name.size() <= kLabelBytesMax && AllOf(name, kLabelCharacters)) return std::nullopt;
  if (IsBlank(name)) return core::StrCat("the ", what, " is blank");
  if (name.size() > kLabelBytesMax) {
    return core::StrCat("a ", what, " of ", name.size(), " bytes; at most ", kLabelBytesMax, " are taken");
  }
  return core::StrCat("the ", what, " '", Quoted(name),
                      "' has a character that no name has: take letters, digits, _ - . %");
}

std::optional<std::string> WrongClientId(std::string_view id) {
  if (id.empty()) return "a client without clientID";
  if (id.size() > kClientIdBytesMax) {
    return core::StrCat("a clientID of ", id.size(), " bytes; at most ", kClientIdBytesMax, " are taken");
  }
  if (std::any_of(id.begin(), id.end(), IsControl))
    return core::StrCat("the clientID '", Quoted(id), "' has control characters");
  return std::nullopt;
}

std::optional<std::string> WrongUserName(std::string_view name) {
  if (name.empty()) return "the name of the user is blank";
  if (name.size() > kUserNameBytesMax) {
    return core::StrCat("the name of a user has ", name.size(), " bytes; at most ", kUserNameBytesMax, " are taken");
  }
  if (std::any_of(name.begin(), name.end(), IsControl)) {
    return core::StrCat("the user '", Quoted(name), "' has control characters in its name");
  }
  return std::nullopt;
}

std::string Quoted(std::string_view text, size_t bytes_max) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  if (text.size() > bytes_max) out += "...";
  return out;
}

}  // namespace net
