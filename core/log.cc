#include "core/log.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <mutex>
#include <thread>

namespace core {
namespace {

constexpr size_t kWaitingLinesMax = 10'000;

std::atomic<LogLevel> minimum_level{LogLevel::kInfo};
std::function<void(LogLevel, std::string_view)> sink;

std::string Formatted(LogLevel level, std::string_view line) {
  static constexpr std::array<const char*, 4> kNames = {"DEBUG", "INFO", "WARN", "ERROR"};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char stamp[64];
  std::snprintf(stamp, sizeof stamp, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %-5s ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, now.tv_nsec / 1'000'000,
                kNames[static_cast<size_t>(level)]);
  return StrCat(static_cast<const char*>(stamp), line, "\n");
}

/// stderr may block (a full pipe, a slow terminal), so a thread of its own writes there. The one lock of the process that shard
/// threads take: held for a push of one string, and only when something is logged.
class StderrWriter {
 public:
  void Push(std::string line) {
    {
      const std::lock_guard lock(mutex_);
      if (lines_.size() >= kWaitingLinesMax) {
        ++dropped_;
        return;
      }
      lines_.push_back(std::move(line));
      if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    }
    wake_.notify_one();
  }

  void Flush() {
    std::unique_lock lock(mutex_);
    if (!thread_.joinable()) return;
    drained_.wait(lock, [this] { return lines_.empty() && !writing_; });
  }

  ~StderrWriter() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || !lines_.empty(); });
      if (lines_.empty()) return;
      std::string text;
      while (!lines_.empty()) {
        text += lines_.front();
        lines_.pop_front();
      }
      if (dropped_ > 0) text += StrCat("(", dropped_, " lines were dropped: stderr is not read fast enough)\n");
      dropped_ = 0;
      writing_ = true;
      lock.unlock();
      for (size_t done = 0; done < text.size();) {
        const ssize_t wrote = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
        if (wrote <= 0) break;
        done += static_cast<size_t>(wrote);
      }
      lock.lock();
      writing_ = false;
      if (lines_.empty()) drained_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable drained_;
  std::deque<std::string> lines_;
  size_t dropped_ = 0;
  bool writing_ = false;
  bool stop_ = false;
  std::thread thread_;
};

StderrWriter& Writer() {
  static StderrWriter writer;
  return writer;
}

}  // namespace

void LogLine(LogLevel level, std::string line) {
  if (!LogEnabled(level)) return;
  if (sink) {
    sink(level, line);
    return;
  }
  Writer().Push(Formatted(level, line));
}

void SetLogLevel(LogLevel level) { minimum_level.store(level, std::memory_order_relaxed); }
bool LogEnabled(LogLevel level) { return level >= minimum_level.load(std::memory_order_relaxed); }
void SetLogSink(std::function<void(LogLevel, std::string_view)> new_sink) { sink = std::move(new_sink); }
void FlushLog() { Writer().Flush(); }

}  // namespace core
