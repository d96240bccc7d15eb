#include "tests/history/context.h"

#include "core/strings.h"

namespace history {

std::string Context::PlaceOf(uint32_t queue, int64_t offset) const {
  return core::StrCat(queue == kNoName ? "no queue" : ledger.queue_names.TextOf(queue), " offset ", offset);
}

void Context::Flag(const Finding& finding) {
  Anomaly anomaly;
  anomaly.kind = finding.kind;
  anomaly.severity = finding.severity;
  if (report.Keeps(finding.kind)) {
    if (finding.queue != kNoName) anomaly.queue = ledger.queue_names.TextOf(finding.queue);
    anomaly.offset = finding.offset;
    if (finding.value != kNoName) anomaly.value = ledger.value_names.TextOf(finding.value);
    for (const OpRef op : finding.ops) anomaly.ops.push_back(ledger.NameOf(op));
    anomaly.begin = finding.begin;
    anomaly.end = finding.end;
    anomaly.why = finding.why;
  }
  report.Add(std::move(anomaly));
}

}  // namespace history
