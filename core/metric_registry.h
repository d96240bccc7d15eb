#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/budget.h"
#include "core/metrics.h"

namespace core {

enum class MetricKind { kCounter, kGauge, kHistogram };

/// One number of one shard at one moment. `name` and `help` are literals.
struct MetricSample {
  MetricKind kind = MetricKind::kGauge;
  std::string_view name;
  std::string_view help;
  std::string labels;  // `reason="idle"`, or empty
  double value = 0;
  std::string_view suffix;  // behind the name, in a histogram: _bucket, _sum, _count
};

/// What collectors write to.
class MetricSink {
 public:
  /// A number that only grows while the process lives; its name ends in _total.
  void Counter(std::string_view name, std::string_view help, double value) {
    samples_.push_back({MetricKind::kCounter, name, help, {}, value, {}});
  }
  void Gauge(std::string_view name, std::string_view help, double value) {
    samples_.push_back({MetricKind::kGauge, name, help, {}, value, {}});
  }
  /// The same name several times, told apart by one label; `text` is put in as it is.
  void Counter(std::string_view name, std::string_view help, std::string_view label, std::string_view text,
               double value);
  /// `nanoseconds` as seconds, in buckets that double from 1 us on up to 8.6 s. `labels` as in MetricSample.
  void Histogram(std::string_view name, std::string_view help, const core::Histogram& nanoseconds, std::string labels = {});
  /// Use, limit (none: left out) and hits of a budget, as ringmq_budget_*{resource="RESOURCE"}.
  void Budget(std::string_view resource, const core::Budget& budget);

  std::vector<MetricSample> Take() { return std::move(samples_); }

 private:
  void Gauge(std::string_view name, std::string_view help, std::string_view label, std::string_view text, double value);
  std::vector<MetricSample> samples_;
};

/// Where a shard's counters and gauges are found. They stay the plain numbers of whoever counts; each owner adds one collector that reads them,
/// which runs when somebody asks. One shard.
class MetricRegistry {
 public:
  using Collector = std::function<void(MetricSink&)>;
  /// `collector` and what it reads live as long as the registry is asked.
  void Add(Collector collector) { collectors_.push_back(std::move(collector)); }
  std::vector<MetricSample> Collect() const;

 private:
  std::vector<Collector> collectors_;
};

/// Adds the counters of the current shard's loop and the use of its buffers.
void AddReactorMetrics(MetricRegistry& registry);

/// The samples of one shard of one server.
struct MetricSource {
  std::string labels;  // of all of them, such as `server="broker",shard="0"`
  std::vector<MetricSample> samples;
};

/// Prometheus' text format 0.0.4: every name once with its HELP and TYPE, then its samples.
std::string PrometheusText(std::span<const MetricSource> sources);

}  // namespace core
