#include "broker/kept_settings.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "broker/gather.h"
#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"

namespace broker {
namespace {

// A row: key -> what the configuration said, a blank, what counts instead. All live settings are numbers or booleans: no blank is in them.
constexpr char kSeparator = ' ';

const core::Setting<BrokerConfig>* FindLive(std::string_view key) {
  const std::span<const core::Setting<BrokerConfig>> settings = BrokerSettings();
  const auto at =
      std::find_if(settings.begin(), settings.end(), [key](const auto& one) { return one.key() == key && one.live(); });
  return at == settings.end() ? nullptr : &*at;
}

struct Row {
  std::string_view configured;
  std::string_view kept;
};

Row ParseRow(std::string_view text) {
  const size_t at = std::min(text.find(kSeparator), text.size());
  return {text.substr(0, at), text.substr(std::min(at + 1, text.size()))};
}

/// Why a row counts no more; nothing: it does.
std::optional<std::string> WhyStale(std::string_view key, const Row& row, const BrokerConfig& config) {
  const core::Setting<BrokerConfig>* const setting = FindLive(key);
  if (setting == nullptr) return "it can't be changed while the broker runs any more";
  const std::string configured = setting->Get(config);
  if (configured != row.configured)
    return core::StrCat("the configuration says ", configured, " since then, which counts");
  BrokerConfig trial = config;
  const std::vector<core::Property> properties = {{std::string(key), std::string(row.kept)}};
  const absl::Status legal = ApplyLiveBrokerProperties(properties, trial);
  if (!legal.ok()) return std::string(legal.message());
  return std::nullopt;
}

}  // namespace

core::Task<void> KeptSettings::ApplyEverywhere(std::vector<core::Property> properties) {
  const std::vector<bool> applied = co_await OnEveryShard(
      shard_.peers(),
      [](BrokerShard& there, std::vector<core::Property> what, core::WallMillis now) {
        there.config_version().Next(now);
        return ApplyLiveBrokerProperties(what, there.live_config()).ok();
      },
      std::move(properties), core::Reactor::Current().wall_now());
  for (const bool done : applied) CORE_ASSERT(done);  // they were found good on a copy
}

core::Task<absl::Status> KeptSettings::Restore() {
  std::vector<core::Property> kept;
  std::vector<store::MetaChange> stale;
  for (const auto& [key, text] : shard_.meta().All(store::MetaTable::kKeptSettings)) {
    const Row row = ParseRow(text);
    if (const std::optional<std::string> why = WhyStale(key, row, shard_.config())) {
      core::LogWarning("the setting ", key, "=", row.kept, ", made while the broker ran, is forgotten: ", *why);
      stale.push_back({store::MetaTable::kKeptSettings, key, std::nullopt});
      continue;
    }
    core::LogInfo("the setting ", key, "=", row.kept, ", made while the broker ran, counts instead of ",
                  row.configured);
    kept.push_back({key, std::string(row.kept)});
  }
  if (!stale.empty()) CO_RETURN_IF_ERROR(co_await shard_.meta().Commit(std::move(stale)));
  if (kept.empty()) co_return absl::OkStatus();
  BrokerConfig together = shard_.config();
  CO_RETURN_IF_ERROR(ApplyLiveBrokerProperties(kept, together));
  co_await ApplyEverywhere(std::move(kept));
  co_return absl::OkStatus();
}

core::Task<absl::Status> KeptSettings::Change(std::vector<core::Property> properties) {
  const core::Semaphore::Hold turn = co_await turn_.Take(1);  // every shard gets changes in the same order
  BrokerConfig after = shard_.config();
  CO_RETURN_IF_ERROR(ApplyLiveBrokerProperties(properties, after));
  std::vector<store::MetaChange> changes;
  for (const core::Property& property : properties) {
    const core::Setting<BrokerConfig>* const setting = FindLive(property.key);
    CORE_ASSERT(setting != nullptr);
    const std::string* const before = shard_.meta().Find(store::MetaTable::kKeptSettings, property.key);
    const std::string configured =
        before != nullptr ? std::string(ParseRow(*before).configured) : setting->Get(shard_.config());
    const std::string value = setting->Get(after);
    store::MetaChange change{store::MetaTable::kKeptSettings, property.key, std::nullopt};
    if (value != configured) change.value = core::StrCat(configured, std::string_view(&kSeparator, 1), value);
    changes.push_back(std::move(change));
  }
  CO_RETURN_IF_ERROR(co_await shard_.meta().Commit(std::move(changes)));
  co_await ApplyEverywhere(std::move(properties));
  co_return absl::OkStatus();
}

}  // namespace broker
