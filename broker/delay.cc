#include "broker/delay.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "broker/config.h"
#include "broker/row_text.h"
#include "core/strings.h"
#include "store/due_record.h"

namespace broker {
namespace {

using net::ResponseCode;

int64_t UnitMs(char unit) {
  switch (unit) {
    case 's':
      return 1000;
    case 'm':
      return 60 * 1000;
    case 'h':
      return 3600 * 1000;
    case 'd':
      return 24 * 3600 * 1000;
    default:
      return 0;
  }
}

SendRefusal Illegal(std::string remark) { return {ResponseCode::kMessageIllegal, std::move(remark)}; }

bool IsTimer(std::string_view name) {
  return name == kPropertyTimerDelaySec || name == kPropertyTimerDelayMs || name == kPropertyTimerDeliverMs;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> DelayLevelsMs(std::string_view text) {
  constexpr int64_t kCountMax = 36500;  // of each unit: a hundred years of days
  std::vector<int64_t> levels;
  while (!text.empty()) {
    const std::string_view level = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), level.size() + 1));
    int64_t count = 0;
    const int64_t unit = level.empty() ? 0 : UnitMs(level.back());
    if (unit == 0 || !ParseWhole(level.substr(0, level.size() - 1), count) || count <= 0 || count > kCountMax) {
      return absl::InvalidArgumentError(
          core::StrCat("'", level, "' is not a delay: a number and s, m, h or d, e.g. 1s 5s 1m 2h"));
    }
    levels.push_back(count * unit);
  }
  if (levels.empty()) return absl::InvalidArgumentError("there is no delay in it: e.g. 1s 5s 1m 2h");
  return levels;
}

std::optional<SendRefusal> ReadDelay(const BrokerConfig& config, const ScannedProperties& scanned, core::WallMillis now,
                                     Delay& delay) {
  delay = {};
  if (AsksForDelay(scanned)) {
    if (!ParseWhole(scanned.delay, delay.level)) {
      return Illegal(core::StrCat("the delay level DELAY=", scanned.delay, " is not a number"));
    }
    delay.level = std::min(delay.level, static_cast<int32_t>(config.delay_levels_ms.size()));
    delay.due = now + config.delay_levels_ms[static_cast<size_t>(delay.level - 1)];
    return std::nullopt;
  }
  if (scanned.timer.empty() || scanned.timer_done) return std::nullopt;
  if (!config.timer_wheel_enable) {
    return SendRefusal{ResponseCode::kSystemError,
                       core::StrCat("timer messages (", scanned.timer, ") are not enabled: timerWheelEnable is false")};
  }
  int64_t value = 0;
  if (!ParseWhole(scanned.timer_value, value)) {
    return Illegal(core::StrCat("the time ", scanned.timer, "=", scanned.timer_value, " is not a number"));
  }
  const int64_t unit = scanned.timer == kPropertyTimerDelaySec ? 1000 : 1;
  const int64_t from = scanned.timer == kPropertyTimerDeliverMs ? 0 : now;
  const int64_t farthest = now + absl::ToInt64Milliseconds(config.timer_max_delay);
  if (value > (farthest - from) / unit) {
    return Illegal(core::StrCat("timer message illegal, ", scanned.timer, "=", value,
                                " is more than timerMaxDelaySec of this broker allows, ",
                                absl::ToInt64Seconds(config.timer_max_delay), " s from now"));
  }
  if (value > 0 && from + value * unit > now) delay.due = from + value * unit;
  return std::nullopt;
}

void MakeWaiting(const Delay& delay, PreparedMessage& message) {
  store::MessageDraft& draft = message.draft;
  std::string properties;
  properties.reserve(draft.properties.size());
  AppendWithout(properties, draft.properties, [&](std::string_view name) {
    if (name == kPropertyRealTopic || name == kPropertyRealQueue || name == store::kPropertyDueTime ||
        name == store::kPropertyTakesBack)
      return true;
    return delay.level > 0 && (name == kPropertyDelay || IsTimer(name));
  });
  std::string added(draft.more_properties);
  if (delay.level > 0) AppendProperty(added, kPropertyDelay, core::StrCat(delay.level));
  AppendProperty(added, kPropertyRealTopic, draft.topic);
  AppendProperty(added, kPropertyRealQueue, core::StrCat(draft.queue_id));
  AppendProperty(added, store::kPropertyDueTime, core::StrCat(delay.due));
  message.properties = std::move(properties);
  message.more_properties = std::move(added);
  draft.properties = message.properties;
  draft.more_properties = message.more_properties;
}

std::string RecallHandle::Encode() const {
  const std::string text = core::StrCat("v1 ", topic, " ", broker_name, " ", due, " ", uniq_key);
  std::string encoded;
  absl::WebSafeBase64Escape(text, &encoded);
  while (encoded.size() % 4 != 0) encoded.push_back('=');  // as Java's encoder writes it
  return encoded;
}

absl::StatusOr<RecallHandle> RecallHandle::Decode(std::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError("recall handle is invalid");
  std::string decoded;
  if (text.empty() || !absl::WebSafeBase64Unescape(core::ToAbsl(text), &decoded)) return wrong;
  std::vector<std::string_view> parts;
  for (std::string_view rest = decoded;;) {
    const size_t end = rest.find(' ');
    parts.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  RecallHandle handle;
  if (parts.size() < 5 || parts[0] != "v1" || !ParseWhole(parts[3], handle.due)) return wrong;
  handle.topic = parts[1];
  handle.broker_name = parts[2];
  handle.uniq_key = parts[4];
  if (handle.topic.empty() || handle.uniq_key.empty()) return wrong;
  return handle;
}

}  // namespace broker
