#include "core/metric_registry.h"

#include <charconv>
#include <map>

#include "core/reactor.h"
#include "core/strings.h"

namespace core {
namespace {

std::string Label(std::string_view name, std::string_view text) { return StrCat(name, "=\"", text, "\""); }

std::string Number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;  // the shortest that reads back the same
  return {text, end};
}

void AppendSample(const MetricSource& source, const MetricSample& sample, std::string& text) {
  text += sample.name;
  if (!source.labels.empty() || !sample.labels.empty()) {
    text += '{';
    text += source.labels;
    if (!source.labels.empty() && !sample.labels.empty()) text += ',';
    text += sample.labels;
    text += '}';
  }
  text += ' ';
  text += Number(sample.value);
  text += '\n';
}

}  // namespace

void MetricSink::Counter(std::string_view name, std::string_view help, std::string_view label, std::string_view text,
                         double value) {
  samples_.push_back({MetricKind::kCounter, name, help, Label(label, text), value});
}

void MetricSink::Gauge(std::string_view name, std::string_view help, std::string_view label, std::string_view text,
                       double value) {
  samples_.push_back({MetricKind::kGauge, name, help, Label(label, text), value});
}

void MetricSink::Budget(std::string_view resource, const core::Budget& budget) {
  Gauge("ringmq_budget_used", "How much of the resource is in use.", "resource", resource,
        static_cast<double>(budget.used));
  if (budget.limit != SIZE_MAX) {
    Gauge("ringmq_budget_limit", "How much of the resource may be in use.", "resource", resource,
          static_cast<double>(budget.limit));
  }
  Counter("ringmq_budget_hits_total",
          "How often somebody was refused, slowed down or cut off for want of the resource.", "resource", resource,
          static_cast<double>(budget.hits));
}

std::vector<MetricSample> MetricRegistry::Collect() const {
  MetricSink sink;
  for (const Collector& collector : collectors_) collector(sink);
  return sink.Take();
}

void AddReactorMetrics(MetricRegistry& registry) {
  registry.Add([&reactor = Reactor::Current()](MetricSink& sink) {
    const ReactorCounters& counters = reactor.counters();
    const auto number = [](auto value) { return static_cast<double>(value); };
    sink.Counter("ringmq_reactor_ticks_total", "Rounds of the shard's loop.", number(counters.ticks));
    sink.Counter("ringmq_reactor_resumes_total", "Coroutines resumed.", number(counters.resumes));
    sink.Counter("ringmq_reactor_stalls_total", "Rounds that took longer than the stall limit.",
                 number(counters.stalls));
    sink.Gauge("ringmq_reactor_longest_tick_seconds", "The longest round since the start.",
               absl::ToDoubleSeconds(counters.longest_tick));
    sink.Counter("ringmq_reactor_calls_sent_total", "Messages to other shards.", number(counters.calls_sent));
    sink.Counter("ringmq_reactor_calls_received_total", "Messages from other shards.", number(counters.calls_received));
    sink.Gauge("ringmq_buffer_bytes", "Bytes of pooled buffers in use.", number(reactor.buffers().bytes_out()));
    sink.Gauge("ringmq_buffer_kept_bytes", "Bytes of free buffers kept for reuse.",
               number(reactor.buffers().bytes_kept()));
    sink.Gauge("ringmq_receive_buffers_held", "Receive buffers that hold bytes not yet let go.",
               number(reactor.received_blocks_held()));
  });
}

std::string PrometheusText(std::span<const MetricSource> sources) {
  struct Sample {
    const MetricSource* source;
    const MetricSample* sample;
  };
  std::vector<std::vector<Sample>> families;  // in order of first appearance
  std::map<std::string_view, size_t> places;
  for (const MetricSource& source : sources) {
    for (const MetricSample& sample : source.samples) {
      const auto [place, added] = places.try_emplace(sample.name, families.size());
      if (added) families.emplace_back();
      families[place->second].push_back({&source, &sample});
    }
  }
  std::string text;
  for (const std::vector<Sample>& family : families) {
    const MetricSample& first = *family.front().sample;
    text += StrCat("# HELP ", first.name, " ", first.help, "\n# TYPE ", first.name,
                   first.kind == MetricKind::kCounter ? " counter\n" : " gauge\n");
    for (const Sample& one : family) AppendSample(*one.source, *one.sample, text);
  }
  return text;
}

}  // namespace core
