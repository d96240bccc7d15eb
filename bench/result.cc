#include "bench/result.h"

#include "absl/strings/str_format.h"
#include "core/strings.h"

namespace bench {
namespace {

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kProduce:
      return "produce";
    case Mode::kConsume:
      return "consume";
    case Mode::kTail:
      return "tail";
    case Mode::kLatency:
      return "latency";
    case Mode::kNull:
      break;
  }
  return "";
}

double Micros(uint64_t nanos) { return static_cast<double>(nanos) / 1000.0; }

int64_t ErrorCount(const Tally& tally) {
  int64_t count = 0;
  for (const auto& [code, times] : tally.errors) count += times;
  return count;
}

}  // namespace

void Tally::Merge(const Tally& other) {
  messages += other.messages;
  bytes += other.bytes;
  latency_ns.Merge(other.latency_ns);
  for (const auto& [code, times] : other.errors) errors[code] += times;
  if (status.ok()) status = other.status;
  out_of_order += other.out_of_order;
}

std::string FormatResult(const Options& options, const Result& result) {
  const Tally& tally = result.tally;
  const double seconds = absl::ToDoubleSeconds(result.measured);
  const double rate = seconds > 0 ? static_cast<double>(tally.messages) / seconds : 0;
  const double mib = seconds > 0 ? static_cast<double>(tally.bytes) / seconds / (1 << 20) : 0;
  const double cpu_us = tally.messages > 0 ? absl::ToDoubleMicroseconds(result.broker_cpu) / static_cast<double>(tally.messages) : 0;
  const double cores = seconds > 0 ? absl::ToDoubleSeconds(result.broker_cpu) / seconds : 0;
  const double rss_mib = static_cast<double>(result.broker_resident_bytes) / (1 << 20);
  const core::Histogram& latency = tally.latency_ns;
  if (options.json) {
    std::string out = absl::StrFormat(
        R"({"mode":"%s","connections":%d,"inFlight":%d,"size":%d,"batch":%d,"queues":%d,"rate":%g,"seconds":%.3f,)"
        R"("messages":%d,"messagesPerSecond":%.1f,"mibPerSecond":%.2f,"errors":%d,"outOfOrder":%d)",
        ModeName(options.mode), options.connections, options.in_flight, options.size, options.batch, options.queues, options.rate,
        seconds, tally.messages, rate, mib, ErrorCount(tally), tally.out_of_order);
    if (latency.count() > 0) {
      out += absl::StrFormat(R"(,"latencyUs":{"p50":%.1f,"p99":%.1f,"p999":%.1f,"max":%.1f})", Micros(latency.Quantile(0.5)),
                             Micros(latency.Quantile(0.99)), Micros(latency.Quantile(0.999)), Micros(latency.max()));
    }
    if (result.has_usage) {
      out += absl::StrFormat(R"(,"brokerCpuUsPerMessage":%.3f,"brokerCores":%.3f,"brokerResidentMiB":%.1f)", cpu_us, cores, rss_mib);
    }
    return out + absl::StrFormat(R"(,"ownCpuSeconds":%.2f})", absl::ToDoubleSeconds(result.own_cpu)) + "\n";
  }
  std::string out = absl::StrFormat("%s: %d connections", ModeName(options.mode), options.connections);
  if (options.mode == Mode::kProduce && options.rate <= 0) out += absl::StrFormat(" x %d in flight", options.in_flight);
  if (options.rate > 0) out += absl::StrFormat(", %g messages/s offered", options.rate);
  if (options.mode == Mode::kProduce || options.mode == Mode::kLatency) out += absl::StrFormat(", %d bytes", options.size);
  if (options.batch > 1) out += absl::StrFormat(", batches of %d", options.batch);
  out += absl::StrFormat(", %d queues, %.1f s\n", options.queues, seconds);
  out += absl::StrFormat("  throughput   %12.0f messages/s  %10.1f MiB/s\n", rate, mib);
  if (latency.count() > 0) {
    out += absl::StrFormat("  latency us   p50 %.0f   p99 %.0f   p99.9 %.0f   max %.0f\n", Micros(latency.Quantile(0.5)),
                           Micros(latency.Quantile(0.99)), Micros(latency.Quantile(0.999)), Micros(latency.max()));
  }
  if (result.has_usage) {
    out += absl::StrFormat("  broker       %.2f us CPU a message   %.2f cores   %.0f MiB resident\n", cpu_us, cores, rss_mib);
  }
  out += absl::StrFormat("  generator    %.2f cores\n", seconds > 0 ? absl::ToDoubleSeconds(result.own_cpu) / seconds : 0.0);
  for (const auto& [code, times] : tally.errors) out += absl::StrFormat("  errors       code %d: %d\n", code, times);
  if (tally.out_of_order > 0) out += absl::StrFormat("  OUT OF ORDER %d queue offsets did not follow on\n", tally.out_of_order);
  return out;
}

}  // namespace bench
