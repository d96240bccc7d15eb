#include "broker/message_properties.h"

#include <charconv>

#include "store/due_record.h"

namespace broker {
namespace {

bool IsTrue(std::string_view value) {
  return value.size() == 4 && (value[0] | 0x20) == 't' && (value[1] | 0x20) == 'r' && (value[2] | 0x20) == 'u' &&
         (value[3] | 0x20) == 'e';
}

/// Of several timers the highest counts. Source: RocketMQ 5.3.3 HookUtils.transformTimerMessage.
int TimerRank(std::string_view name) {
  if (name == kPropertyTimerDelaySec) return 3;
  if (name == kPropertyTimerDelayMs) return 2;
  return name == kPropertyTimerDeliverMs ? 1 : 0;
}

}  // namespace

ScannedProperties ScanProperties(std::string_view text) {
  ScannedProperties found;
  const bool clean = ForEachProperty(text, [&found](std::string_view name, std::string_view value) {
    // The first letter tells nearly all properties apart from those of interest.
    switch (name[0]) {
      case 'T':
        if (name == kPropertyTags) {
          found.tags = value;
        } else if (name == kPropertyTransaction) {
          found.transaction = IsTrue(value);
        } else if (name == kPropertyTraceOn) {
          found.rewrite = true;
        } else if (name == store::kPropertyDueTime) {
          found.timer_done = true;
        } else if (const int rank = TimerRank(name); rank > 0 && rank >= TimerRank(found.timer)) {
          found.timer = name;
          found.timer_value = value;
        }
        break;
      case 'U':
        if (name == kPropertyUniqKey) found.uniq_key = value;
        break;
      case 'W':
        if (name == kPropertyWait) found.wait = IsTrue(value);
        break;
      case 'D':
        if (name == kPropertyDelay) found.delay = value;
        break;
      case 'M':
        if (name == kPropertyMsgRegion) found.rewrite = true;
        break;
      case 'C':
        if (name == kPropertyCluster) found.rewrite = true;
        break;
      case 'I':
        if (name == kPropertyMultiDispatch) found.dispatch = value;
        break;
      case 'P':
        if (name == kPropertyPopCk) found.rewrite = true;
        break;
      default:
        break;
    }
  });
  if (!clean) found.rewrite = true;
  return found;
}

bool AsksForDelay(const ScannedProperties& properties) {
  if (properties.delay.empty()) return false;
  int32_t level = 0;
  const char* end = properties.delay.data() + properties.delay.size();
  const auto [stop, error] = std::from_chars(properties.delay.data(), end, level);
  if (error != std::errc() || stop != end) return true;
  return level > 0;
}

void AppendProperty(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  out.push_back(kNameValueSeparator);
  out.append(value);
  out.push_back(kPropertySeparator);
}

}  // namespace broker
