#pragma once

// The templates of core/settings.h; included by it alone.

#include <algorithm>
#include <type_traits>

#include "core/settings.h"
#include "core/status.h"
#include "core/strings.h"

namespace core {

template <typename Config>
absl::Status Setting<Config>::Set(std::string_view text, Config& config) const {
  return std::visit(
      [&](const auto& member) -> absl::Status {
        using M = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<M, bool Config::*>) {
          ASSIGN_OR_RETURN(config.*member, internal::ParseSettingBool(text));
        } else if constexpr (std::is_same_v<M, int32_t Config::*>) {
          constexpr Range kInt32{std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
          const Range range{std::max(range_.min, kInt32.min), std::min(range_.max, kInt32.max)};
          ASSIGN_OR_RETURN(const int64_t value, internal::ParseSettingInteger(text, range));
          config.*member = static_cast<int32_t>(value);
        } else if constexpr (std::is_same_v<M, int64_t Config::*>) {
          ASSIGN_OR_RETURN(config.*member, internal::ParseSettingInteger(text, range_));
        } else if constexpr (std::is_same_v<M, double Config::*>) {
          ASSIGN_OR_RETURN(config.*member, internal::ParseSettingDouble(text, range_));
        } else if constexpr (std::is_same_v<M, std::string Config::*>) {
          RETURN_IF_ERROR(internal::CheckSettingText(text, range_));
          config.*member = std::string(text);
        } else if constexpr (std::is_same_v<M, DurationMember>) {
          ASSIGN_OR_RETURN(const int64_t value, internal::ParseSettingInteger(text, range_));
          config.*(member.member) = member.unit * value;
        } else {
          ASSIGN_OR_RETURN(const int value, internal::ParseSettingChoice(text, member.names));
          member.set(config, value);
        }
        return absl::OkStatus();
      },
      member_);
}

template <typename Config>
std::string Setting<Config>::Get(const Config& config) const {
  return std::visit(
      [&](const auto& member) -> std::string {
        using M = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<M, bool Config::*>) {
          return config.*member ? "true" : "false";
        } else if constexpr (std::is_same_v<M, int32_t Config::*> || std::is_same_v<M, int64_t Config::*>) {
          return StrCat(config.*member);
        } else if constexpr (std::is_same_v<M, double Config::*>) {
          return internal::FormatSettingDouble(config.*member);
        } else if constexpr (std::is_same_v<M, std::string Config::*>) {
          return config.*member;
        } else if constexpr (std::is_same_v<M, DurationMember>) {
          return StrCat(config.*(member.member) / member.unit);
        } else {
          return std::string(member.names[static_cast<size_t>(member.get(config))]);
        }
      },
      member_);
}

template <typename Config>
absl::Status ApplyProperties(std::span<const Property> properties, std::string_view source,
                             std::span<const Setting<Config>> settings, std::span<const IgnoredKey> ignored,
                             Config& config, std::vector<ConfigFinding>& findings) {
  for (const Property& property : properties) {
    ConfigFinding finding;
    finding.key = property.key;
    finding.where = internal::WhereOf(source, property.line);
    const auto is_key = [&](const auto& entry) {
      if constexpr (std::is_same_v<std::decay_t<decltype(entry)>, IgnoredKey>) {
        return entry.key == property.key;
      } else {
        return entry.key() == property.key;
      }
    };
    if (const auto setting = std::find_if(settings.begin(), settings.end(), is_key); setting != settings.end()) {
      const absl::Status status = setting->Set(property.value, config);
      const std::string_view shown = setting->is_secret() ? kNotShown : std::string_view(property.value);
      if (!status.ok()) {
        return absl::InvalidArgumentError(StrCat(finding.where, ": ", property.key, ": ", ToStd(status.message()),
                                                 ", not '", shown, "'"));
      }
      finding.kind = ConfigFinding::Kind::kUsed;
      finding.note = shown;
    } else if (const auto known = std::find_if(ignored.begin(), ignored.end(), is_key); known != ignored.end()) {
      if (!known->refused_value.empty() && internal::SameSettingText(property.value, known->refused_value)) {
        return absl::InvalidArgumentError(StrCat(finding.where, ": ", property.key, "=", property.value, ": ", known->why,
                                                 "; take the line out to start without"));
      }
      finding.kind = ConfigFinding::Kind::kIgnored;
      finding.note = std::string(known->why);
    } else {
      finding.kind = ConfigFinding::Kind::kUnknown;
      std::vector<std::string_view> candidates;
      for (const Setting<Config>& one : settings) candidates.push_back(one.key());
      for (const IgnoredKey& one : ignored) candidates.push_back(one.key);
      finding.note = std::string(NearestKey(property.key, candidates));
    }
    internal::AddFinding(std::move(finding), findings);
  }
  return absl::OkStatus();
}

template <typename Config>
absl::Status ApplyLive(std::span<const Property> properties, std::span<const Setting<Config>> settings,
                       std::span<const IgnoredKey> ignored, Config& config) {
  Config trial = config;
  std::vector<const Setting<Config>*> named;
  for (const Property& property : properties) {
    const std::string key = internal::ShownKey(property.key);
    const auto setting =
        std::find_if(settings.begin(), settings.end(), [&](const auto& one) { return one.key() == property.key; });
    if (setting == settings.end()) {
      const bool known =
          std::any_of(ignored.begin(), ignored.end(), [&](const auto& one) { return one.key == property.key; });
      return absl::PermissionDeniedError(
          StrCat("can't change ", key, known ? ": it has no effect on this server" : ": there is no such setting"));
    }
    if (!setting->live()) {
      return absl::PermissionDeniedError(
          StrCat("can't change ", key, " while the server runs: write it into the configuration file and start anew"));
    }
    if (std::find(named.begin(), named.end(), &*setting) != named.end()) {
      return absl::InvalidArgumentError(StrCat(key, " is given twice"));
    }
    named.push_back(&*setting);
    const absl::Status status = setting->Set(property.value, trial);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          StrCat(key, ": ", ToStd(status.message()), ", not '", internal::ShownKey(property.value), "'"));
    }
  }
  // One by one, so that nothing else of the running configuration moves.
  for (size_t i = 0; i < named.size(); ++i) RETURN_IF_ERROR(named[i]->Set(properties[i].value, config));
  return absl::OkStatus();
}

template <typename Config>
std::string ToProperties(std::span<const Setting<Config>> settings, const Config& config, bool important_only,
                         Reader reader) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const Setting<Config>& setting : settings) {
    if (important_only && !setting.important()) continue;
    if (reader == Reader::kPeer && setting.is_private()) continue;
    std::string value = setting.Get(config);
    if (setting.is_secret() && !value.empty()) value = kNotShown;
    lines.emplace_back(setting.key(), std::move(value));
  }
  return internal::FormatProperties(std::move(lines));
}

}  // namespace core
