#include "core/metric_registry.h"

#include <charconv>
#include <map>

#include "core/reactor.h"
#include "core/strings.h"

namespace core {
namespace {

// By MetricKind.
constexpr std::string_view kKindNames[] = {"counter", "gauge", "histogram"};

std::string Label(std::string_view name, std::string_view text) { return StrCat(name, "=\"", text, "\""); }

std::string Number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;  // the shortest that reads back the same
  return {text, end};
}

void AppendSample(const MetricSource& source, const MetricSample& sample, std::string& text) {
  text += sample.name;
  text += sample.suffix;
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
  samples_.push_back({MetricKind::kCounter, name, help, Label(label, text), value, {}});
}

void MetricSink::Gauge(std::string_view name, std::string_view help, std::string_view label, std::string_view text,
                       double value) {
  samples_.push_back({MetricKind::kGauge, name, help, Label(label, text), value, {}});
}

void MetricSink::Histogram(std::string_view name, std::string_view help, const core::Histogram& nanoseconds, std::string labels) {
  constexpr double kSecond = 1e9;
  const auto add = [&](std::string_view suffix, std::string all_labels, double value) {
    samples_.push_back({MetricKind::kHistogram, name, help, std::move(all_labels), value, suffix});
  };
  const auto bucket = [&](std::string_view limit, uint64_t count) {
    add("_bucket", StrCat(labels, labels.empty() ? "" : ",", Label("le", limit)), static_cast<double>(count));
  };
  for (int exponent = 10; exponent <= 33; ++exponent) {
    bucket(Number(static_cast<double>(uint64_t{1} << exponent) / kSecond), nanoseconds.CountBelowPower(exponent));
  }
  bucket("+Inf", nanoseconds.count());
  add("_sum", labels, static_cast<double>(nanoseconds.sum()) / kSecond);
  add("_count", labels, static_cast<double>(nanoseconds.count()));
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
    sink.Counter("ringmq_reactor_spins_total", "Waits for work in which the shard did not sleep at once.",
                 number(counters.spins));
    sink.Counter("ringmq_reactor_spins_won_total", "Of these, those in which work came before it slept.",
                 number(counters.spins_won));
    sink.Gauge("ringmq_reactor_longest_tick_seconds", "The longest round since the start.",
               absl::ToDoubleSeconds(counters.longest_tick));
    sink.Counter("ringmq_reactor_calls_sent_total", "Messages to other shards.", number(counters.calls_sent));
    sink.Counter("ringmq_reactor_calls_received_total", "Messages from other shards.", number(counters.calls_received));
    sink.Histogram("ringmq_reactor_tick_seconds", "What the rounds took.", reactor.tick_times());
    sink.Histogram("ringmq_reactor_hop_seconds", "From the sending of a message to another shard to its turn there, of one in 64.",
                   reactor.hop_times());
    for (size_t i = 0; i < kStageNames.size(); ++i) {
      sink.Histogram("ringmq_stage_seconds", "What the stages of requests took.", reactor.stages().of(static_cast<Stage>(i)),
                     Label("stage", kStageNames[i]));
    }
    const IoCounters io = reactor.io().Counters();
    sink.Counter("ringmq_io_submissions_total", "Operations handed to the kernel.", number(io.submissions));
    sink.Counter("ringmq_io_completions_total", "Operations that the kernel has told the end of.", number(io.completions));
    sink.Counter("ringmq_io_enters_total", "Calls of the kernel for both.", number(io.enters));
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
    text += StrCat("# HELP ", first.name, " ", first.help, "\n# TYPE ", first.name, " ",
                   kKindNames[static_cast<size_t>(first.kind)], "\n");
    for (const Sample& one : family) AppendSample(*one.source, *one.sample, text);
  }
  return text;
}

}  // namespace core
