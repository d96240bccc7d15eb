// history_check: reads histories and says what must not be. README.md has the format.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/strings.h"
#include "tests/history/checker.h"
#include "tests/history/event_reader.h"

namespace {

constexpr int kClean = 0;
constexpr int kAnomalies = 1;
constexpr int kBadInput = 2;

int Complain(const absl::Status& status) {
  std::fprintf(stderr, "history_check: %s\n", std::string(status.message()).c_str());
  return kBadInput;
}

int Check(const std::vector<std::string>& paths, const history::Options& options, bool json) {
  std::vector<std::unique_ptr<history::EventFile>> files;
  for (const std::string& path : paths) {
    auto file = history::EventFile::Open(path);
    if (!file.ok()) return Complain(file.status());
    files.push_back(*std::move(file));
  }
  history::EventMerge merge(std::move(files));
  history::Checker checker(options);
  while (true) {
    const absl::StatusOr<const history::EventFile*> file = merge.Next();
    if (!file.ok()) return Complain(file.status());
    if (*file == nullptr) break;
    const absl::Status taken = checker.Add((*file)->event());
    if (!taken.ok()) return Complain(absl::InvalidArgumentError(core::StrCat((*file)->Where(), ": ", taken.message())));
  }
  const history::Report report = checker.Finish();
  if (report.events == 0) return Complain(absl::InvalidArgumentError("no events: an empty history proves nothing"));
  std::fputs((json ? report.Json() : report.Text()).c_str(), stdout);
  return report.fatal() > 0 ? kAnomalies : kClean;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Checks what producers, consumers and a nemesis noted of a run against a RocketMQ broker: a line for each "
      "anomaly, then a summary.\n"
      "Status 0: nothing fatal; 1: something is; 2: bad input, named by file and line.",
      "history_check");
  std::vector<std::string> paths;
  history::Options options;
  bool json = false;
  int64_t async_ms = options.async_window / history::kMillisecond;
  int64_t persist_ms = options.persist_interval / history::kMillisecond;
  int64_t late_ms = options.late / history::kMillisecond;
  int64_t lag_ms = options.lag / history::kMillisecond;
  int64_t stuck_ms = options.stuck / history::kMillisecond;
  int64_t lock_ms = options.lock_expiry / history::kMillisecond;
  const CLI::Range any(int64_t{0}, int64_t{1} << 40);
  app.add_option("files", paths, "JSON lines, one file a worker or fewer; - is the standard input")->required();
  app.add_flag("--json", json, "one JSON object instead of lines");
  app.add_flag("--keeps-all", options.keeps_all,
               "nothing expires in this run: a queue's minimum that moves excuses nothing");
  app.add_option("--async-window-ms", async_ms, "what ASYNC_FLUSH may lose to a power cut")
      ->capture_default_str()
      ->check(any);
  app.add_option("--persist-ms", persist_ms, "how far committed offsets may go back in a crash")
      ->capture_default_str()
      ->check(any);
  app.add_option("--late-ms", late_ms, "delayed messages later than this are reported")
      ->capture_default_str()
      ->check(any);
  app.add_option("--lag-ms", lag_ms, "consumers further behind than this are reported")
      ->capture_default_str()
      ->check(any);
  app.add_option("--stuck-ms", stuck_ms, "after healing something succeeds within this time")
      ->capture_default_str()
      ->check(any);
  app.add_option("--lock-expiry-ms", lock_ms, "how long a queue lock holds that nobody renews")
      ->capture_default_str()
      ->check(any);
  app.add_option("--limit", options.kept_max, "anomalies of a kind that are told one by one")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kClean : kBadInput;
  }
  options.async_window = async_ms * history::kMillisecond;
  options.persist_interval = persist_ms * history::kMillisecond;
  options.late = late_ms * history::kMillisecond;
  options.lag = lag_ms * history::kMillisecond;
  options.stuck = stuck_ms * history::kMillisecond;
  options.lock_expiry = lock_ms * history::kMillisecond;
  return Check(paths, options, json);
}
