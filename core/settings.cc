#include "core/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace core {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool SameText(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      const size_t replaced = diagonal + (Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, replaced});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string ExpectedNumber(std::string_view what, Range range) {
  const Range any;
  if (range.min == any.min && range.max == any.max) return StrCat("expected ", what);
  if (range.max == any.max) return StrCat("expected ", what, " of at least ", range.min);
  if (range.min == any.min) return StrCat("expected ", what, " of at most ", range.max);
  return StrCat("expected ", what, " from ", range.min, " to ", range.max);
}

}  // namespace

std::string_view NearestKey(std::string_view key, std::span<const std::string_view> candidates) {
  // A third of the letters may be wrong; beyond that a suggestion confuses more than it helps.
  size_t best = std::max<size_t>(2, key.size() / 3) + 1;
  std::string_view nearest;
  for (const std::string_view candidate : candidates) {
    // No distance is less than that of the lengths. So a key of kilobytes costs nothing.
    if (std::max(key.size(), candidate.size()) - std::min(key.size(), candidate.size()) >= best) continue;
    const size_t distance = EditDistance(key, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string FormatFindings(std::span<const ConfigFinding> findings) {
  std::string out;
  for (const ConfigFinding& finding : findings) {
    switch (finding.kind) {
      case ConfigFinding::Kind::kUsed:
        out += StrCat("    used     ", finding.key, " = ", finding.note, " (", finding.where, ")\n");
        break;
      case ConfigFinding::Kind::kReplaced:
        out += StrCat("    replaced ", finding.key, " (", finding.where, "): ", finding.note, "\n");
        break;
      case ConfigFinding::Kind::kIgnored:
        out += StrCat("    ignored  ", finding.key, " (", finding.where, "): ", finding.note, "\n");
        break;
      case ConfigFinding::Kind::kUnknown:
        out += StrCat("    unknown  ", finding.key, " (", finding.where, ")");
        if (!finding.note.empty()) out += StrCat(": did you mean ", finding.note, "?");
        out += '\n';
        break;
    }
  }
  return out;
}

namespace internal {

bool SameSettingText(std::string_view a, std::string_view b) { return SameText(a, b); }

absl::StatusOr<bool> ParseSettingBool(std::string_view text) {
  if (SameText(text, "true")) return true;
  if (SameText(text, "false")) return false;
  return absl::InvalidArgumentError("expected true or false");
}

absl::StatusOr<int64_t> ParseSettingInteger(std::string_view text, Range range) {
  int64_t value = 0;
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < range.min || value > range.max) {
    return absl::InvalidArgumentError(ExpectedNumber("a whole number", range));
  }
  return value;
}

absl::StatusOr<double> ParseSettingDouble(std::string_view text, Range range) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
      value < static_cast<double>(range.min) || value > static_cast<double>(range.max)) {
    return absl::InvalidArgumentError(ExpectedNumber("a number", range));
  }
  return value;
}

absl::StatusOr<int> ParseSettingChoice(std::string_view text, std::span<const std::string_view> names) {
  std::string expected;
  for (size_t i = 0; i < names.size(); ++i) {
    if (SameText(text, names[i])) return static_cast<int>(i);
    expected += StrCat(i == 0 ? "" : i + 1 == names.size() ? " or " : ", ", names[i]);
  }
  return absl::InvalidArgumentError(StrCat("expected ", expected));
}

absl::Status CheckSettingText(std::string_view text, Range range) {
  // A line end inside a value would be another setting when the configuration is printed.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), is_control)) {
    return absl::InvalidArgumentError("expected a text without control characters");
  }
  const auto bytes = static_cast<int64_t>(text.size());
  if (bytes >= range.min && bytes <= range.max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      bytes < range.min ? StrCat("expected a text of at least ", range.min, " bytes")
                        : StrCat("expected a text of at most ", range.max, " bytes"));
}

std::string FormatSettingDouble(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return error == std::errc() ? std::string(text, end) : std::string("0");
}

std::string FormatProperties(std::vector<std::pair<std::string, std::string>> lines) {
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const auto& [key, value] : lines) out += StrCat(key, "=", value, "\n");
  return out;
}

void AddFinding(ConfigFinding finding, std::vector<ConfigFinding>& findings) {
  for (ConfigFinding& earlier : findings) {
    if (earlier.key == finding.key && earlier.kind == ConfigFinding::Kind::kUsed) {
      earlier.kind = ConfigFinding::Kind::kReplaced;
      earlier.note = StrCat("given again in ", finding.where);
    }
  }
  findings.push_back(std::move(finding));
}

std::string ShownKey(std::string_view text) {
  std::string shown(text.substr(0, 100));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return shown;
}

std::string WhereOf(std::string_view source, int line) {
  return line > 0 ? StrCat(source, ":", line) : std::string(source);
}

}  // namespace internal
}  // namespace core
