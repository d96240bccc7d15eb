#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/strings.h"

namespace core {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Hands one line to the log (stderr, written by a thread of its own; the simulation and tests take it elsewhere). Any thread; never
/// blocks: at overflow the line is counted as dropped.
void LogLine(LogLevel level, std::string line);
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);
/// Replaces where lines go; an empty function restores stderr. Not while shards run.
void SetLogSink(std::function<void(LogLevel, std::string_view)> sink);
/// Waits until everything logged so far is out. For the end of the process.
void FlushLog();

template <typename... Args>
void LogDebug(const Args&... args) {
  if (LogEnabled(LogLevel::kDebug)) LogLine(LogLevel::kDebug, StrCat(args...));
}
template <typename... Args>
void LogInfo(const Args&... args) {
  if (LogEnabled(LogLevel::kInfo)) LogLine(LogLevel::kInfo, StrCat(args...));
}
template <typename... Args>
void LogWarning(const Args&... args) {
  if (LogEnabled(LogLevel::kWarning)) LogLine(LogLevel::kWarning, StrCat(args...));
}
template <typename... Args>
void LogError(const Args&... args) {
  if (LogEnabled(LogLevel::kError)) LogLine(LogLevel::kError, StrCat(args...));
}

}  // namespace core
