#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/history/event.h"

namespace history {

/// Turns JSON lines into events.
class EventParser {
 public:
  EventParser();
  EventParser(EventParser&&) noexcept;
  ~EventParser();
  /// `line` without its end, and kPadding readable bytes behind it. The event borrows from the parser until the next line.
  absl::Status Parse(std::string_view line, Event& event);
  static constexpr size_t kPadding = 64;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The events of one file, in its order, which is that of time.
class EventFile {
 public:
  /// "-" is the standard input.
  static absl::StatusOr<std::unique_ptr<EventFile>> Open(const std::string& path);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  ~EventFile();

  /// Goes to the next event, which is valid until the next call; false at the end. kInvalidArgument: bad input, named "FILE:LINE: ...".
  absl::StatusOr<bool> Next();
  const Event& event() const { return event_; }
  /// "FILE:LINE" of the current event.
  std::string Where() const;

 private:
  EventFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  /// False at the end of the file.
  absl::StatusOr<bool> NextLine(std::string_view& line);
  absl::Status Bad(std::string_view why) const;

  const std::string path_;
  std::FILE* const file_;
  EventParser parser_;
  Event event_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what is not parsed yet
  size_t end_ = 0;
  bool at_end_ = false;
  uint64_t line_ = 0;
  int64_t last_t_ = 0;
};

/// Several files as one history in the order of time. Of events at the same time, flushes come first, then invocations.
class EventMerge {
 public:
  explicit EventMerge(std::vector<std::unique_ptr<EventFile>> files) : files_(std::move(files)) {}
  /// Null at the end.
  absl::StatusOr<const EventFile*> Next();

 private:
  absl::Status Advance(size_t file);
  bool Later(size_t a, size_t b) const;

  std::vector<std::unique_ptr<EventFile>> files_;
  std::vector<size_t> heap_;  // the next event on top
  bool begun_ = false;
};

}  // namespace history
