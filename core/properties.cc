#include "core/properties.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "core/status.h"
#include "core/strings.h"

namespace core {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

std::string_view DropLeadingBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  return text;
}

/// Takes the next line off `rest`, without its end: \n, \r or \r\n.
std::string_view TakeLine(std::string_view& rest) {
  const size_t end = rest.find_first_of("\r\n");
  const std::string_view line = rest.substr(0, end);
  if (end == std::string_view::npos) {
    rest = {};
  } else {
    rest.remove_prefix(rest.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  return line;
}

bool GoesOn(std::string_view line) {
  size_t backslashes = 0;
  while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

std::optional<uint32_t> FourHexDigits(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  uint32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint32_t>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = static_cast<uint32_t>((c | 0x20) - 'a') + 10;
    } else {
      return std::nullopt;
    }
    value = value << 4 | digit;
  }
  return value;
}

absl::StatusOr<std::string> Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    if (++at == text.size()) break;  // a backslash at the very end of the file means nothing, as in Java
    switch (text[at]) {
      case 't': out += '\t'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 'f': out += '\f'; break;
      case 'u': {
        std::optional<uint32_t> code = FourHexDigits(text.substr(at + 1));
        if (!code.has_value()) return absl::InvalidArgumentError("\\u wants four hexadecimal digits");
        at += 4;
        if (*code >= 0xd800 && *code < 0xdc00 && text.substr(at + 1).starts_with("\\u")) {
          const std::optional<uint32_t> low = FourHexDigits(text.substr(at + 3));
          if (low.has_value() && *low >= 0xdc00 && *low < 0xe000) {
            code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
            at += 6;
          }
        }
        if (*code >= 0xd800 && *code < 0xe000) return absl::InvalidArgumentError("\\u of half a surrogate pair");
        AppendUtf8(*code, out);
        break;
      }
      default: out += text[at];
    }
  }
  return out;
}

std::string_view DropTrailingBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.back()) && !GoesOn(text.substr(0, text.size() - 1))) text.remove_suffix(1);
  return text;
}

absl::StatusOr<Property> ParseLogicalLine(std::string_view text, int line) {
  size_t end = 0;
  while (end < text.size() && text[end] != '=' && text[end] != ':' && !IsBlank(text[end])) {
    end += text[end] == '\\' ? 2 : 1;
  }
  std::string_view key = text.substr(0, end);
  if (key.empty()) return absl::InvalidArgumentError(StrCat("no key before '", text.substr(0, 1), "'"));
  std::string_view rest = end < text.size() ? DropLeadingBlanks(text.substr(end)) : std::string_view();
  if (rest.empty()) return absl::InvalidArgumentError(StrCat("'", text, "' is not KEY=VALUE"));
  if (rest.front() == '=' || rest.front() == ':') rest = DropLeadingBlanks(rest.substr(1));
  Property property;
  property.line = line;
  ASSIGN_OR_RETURN(property.key, Unescape(key));
  ASSIGN_OR_RETURN(property.value, Unescape(DropTrailingBlanks(rest)));
  return property;
}

}  // namespace

absl::StatusOr<std::vector<Property>> ParseProperties(std::string_view text) {
  std::vector<Property> properties;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // an editor's byte order mark
  int line_number = 0;
  while (!text.empty()) {
    const int begin = ++line_number;
    const std::string_view line = DropLeadingBlanks(TakeLine(text));
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;  // comments never go on
    std::string logical(line);
    while (GoesOn(logical) && !text.empty()) {
      logical.pop_back();
      logical += DropLeadingBlanks(TakeLine(text));
      ++line_number;
    }
    absl::StatusOr<Property> property = ParseLogicalLine(logical, begin);
    if (!property.ok()) return Annotate(property.status(), StrCat("line ", begin));
    properties.push_back(*std::move(property));
  }
  return properties;
}

absl::StatusOr<Property> ParseAssignment(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return absl::InvalidArgumentError(StrCat("'", text, "' is not KEY=VALUE"));
  }
  return Property{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)), 0};
}

}  // namespace core
