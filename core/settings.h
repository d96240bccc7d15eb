#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/properties.h"

namespace core {

/// What a number may be, both ends included; of a duration in the setting's unit, of a text its bytes.
struct Range {
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
};

/// A setting of a server: its key in configuration files, the member it fills, what it may be and what it means. A server declares its
/// settings once, in one list; parsing, range checks, the report and --help read it. The default is the member's initialiser.
template <typename Config>
class Setting {
 public:
  /// `T`: bool, int32_t, int64_t, double or std::string. `Part`: Config, or what it derives from.
  template <typename T, typename Part>
    requires std::derived_from<Config, Part>
  constexpr Setting(std::string_view key, T Part::* member, Range range, std::string_view help)
      : key_(key), help_(help), range_(range), member_(static_cast<T Config::*>(member)) {}
  constexpr Setting(std::string_view key, bool Config::*member, std::string_view help)
      : key_(key), help_(help), member_(member) {}
  /// A duration, in whole `unit`s in the file.
  constexpr Setting(std::string_view key, absl::Duration Config::*member, absl::Duration unit, Range range,
                    std::string_view help)
      : key_(key), help_(help), range_(range), member_(DurationMember{member, unit}) {}
  /// An enum whose values are 0, 1, 2, ...; names[i] is the text of value i. Upper and lower case are the same.
  template <auto kMember, size_t N>
  static constexpr Setting Choice(std::string_view key, const std::string_view (&names)[N], std::string_view help) {
    return Setting(key, ChoiceMember{[](Config& config, int value) { Assign(config.*kMember, value); },
                                     [](const Config& config) { return static_cast<int>(config.*kMember); },
                                     std::span<const std::string_view>(names)},
                   help);
  }
  /// The same setting, marked as one of those that matter most (RocketMQ's @ImportantField).
  constexpr Setting Important() const {
    Setting copy = *this;
    copy.important_ = true;
    return copy;
  }

  /// It may be changed while the server runs (ApplyLive). All others are for who starts it.
  constexpr Setting Live() const {
    Setting copy = *this;
    copy.live_ = true;
    return copy;
  }
  /// A path, or what else is shown to the operator and not to who asks over the network.
  constexpr Setting Private() const {
    Setting copy = *this;
    copy.private_ = true;
    return copy;
  }

  /// A password or the like: shown to nobody, also where the server says with what it was started.
  constexpr Setting Secret() const {
    Setting copy = Private();
    copy.secret_ = true;
    return copy;
  }

  constexpr std::string_view key() const { return key_; }
  constexpr std::string_view help() const { return help_; }
  constexpr bool important() const { return important_; }
  constexpr bool live() const { return live_; }
  constexpr bool is_private() const { return private_; }
  constexpr bool is_secret() const { return secret_; }

  /// Parses `text` into `config`. kInvalidArgument "expected ...".
  absl::Status Set(std::string_view text, Config& config) const;
  /// As it would stand in a file.
  std::string Get(const Config& config) const;

 private:
  struct DurationMember {
    absl::Duration Config::*member;
    absl::Duration unit;
  };
  struct ChoiceMember {
    void (*set)(Config&, int);
    int (*get)(const Config&);
    std::span<const std::string_view> names;
  };
  using Member = std::variant<bool Config::*, int32_t Config::*, int64_t Config::*, double Config::*,
                              std::string Config::*, DurationMember, ChoiceMember>;
  constexpr Setting(std::string_view key, ChoiceMember member, std::string_view help)
      : key_(key), help_(help), member_(member) {}
  template <typename Enum>
  static void Assign(Enum& target, int value) {
    target = static_cast<Enum>(value);
  }

  std::string_view key_;
  std::string_view help_;
  Range range_;
  Member member_;
  bool important_ = false;
  bool live_ = false;
  bool private_ = false;
  bool secret_ = false;
};

/// A key of RocketMQ's that is known and has no effect here, and why.
struct IgnoredKey {
  std::string_view key;
  std::string_view why;
  /// With this value it is refused: running without would be less safe than its owner believes.
  std::string_view refused_value = {};
};

/// What became of one key of a file.
struct ConfigFinding {
  enum class Kind { kUsed, kReplaced, kIgnored, kUnknown };
  Kind kind = Kind::kUsed;
  std::string key;
  std::string where;  // "broker.conf:3"
  std::string note;   // the value, why it is ignored, the nearest known key
};

/// Sets each property in turn, so that the last of a key counts, and adds one finding each. `source` names the file. An unknown or
/// ignored key is a finding, no error; a value that does not fit is kInvalidArgument "SOURCE:LINE: KEY: expected ..., not '...'", and so
/// is a refused one.
template <typename Config>
absl::Status ApplyProperties(std::span<const Property> properties, std::string_view source,
                             std::span<const Setting<Config>> settings, std::span<const IgnoredKey> ignored,
                             Config& config, std::vector<ConfigFinding>& findings);

/// What stands for the value of a secret one.
inline constexpr std::string_view kNotShown = "(not shown)";

/// Changes a running server's settings: all of them or none. Only live ones may be named, once each; kPermissionDenied names the first key that
/// is none and says why, kInvalidArgument the value that does not fit. What a server was started with (paths, addresses, roles, durability,
/// security) is not to be changed by who reaches its port: CVE-2023-33246 and CVE-2023-37582.
template <typename Config>
absl::Status ApplyLive(std::span<const Property> properties, std::span<const Setting<Config>> settings,
                       std::span<const IgnoredKey> ignored, Config& config);

/// Who reads a printed configuration.
enum class Reader { kOperator, kPeer };

/// All settings as `key=value` lines, by key; for a peer without the private ones.
template <typename Config>
std::string ToProperties(std::span<const Setting<Config>> settings, const Config& config, bool important_only = false,
                         Reader reader = Reader::kOperator);

/// A line each: what is used, replaced, ignored and why, unknown and what it may mean. Empty for none.
std::string FormatFindings(std::span<const ConfigFinding> findings);

/// The candidate that is nearest to `key` by edit distance, upper and lower case being the same; empty when none is near.
std::string_view NearestKey(std::string_view key, std::span<const std::string_view> candidates);

namespace internal {
bool SameSettingText(std::string_view a, std::string_view b);
absl::StatusOr<bool> ParseSettingBool(std::string_view text);
absl::StatusOr<int64_t> ParseSettingInteger(std::string_view text, Range range);
absl::StatusOr<double> ParseSettingDouble(std::string_view text, Range range);
absl::StatusOr<int> ParseSettingChoice(std::string_view text, std::span<const std::string_view> names);
absl::Status CheckSettingText(std::string_view text, Range range);
std::string FormatSettingDouble(double value);
std::string FormatProperties(std::vector<std::pair<std::string, std::string>> lines);
/// The findings of one source; marks earlier ones of the same key as replaced.
void AddFinding(ConfigFinding finding, std::vector<ConfigFinding>& findings);
std::string WhereOf(std::string_view source, int line);
/// `text` without control characters, cut short: of a key that a peer has sent.
std::string ShownKey(std::string_view text);
}  // namespace internal

}  // namespace core

#include "core/settings_inl.h"
