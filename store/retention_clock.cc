#include "store/retention_clock.h"

#include "absl/strings/str_cat.h"
#include "store/row_reader.h"

namespace store {

absl::Status RetentionClock::Load(std::string_view text) {
  const absl::Status unreadable = absl::DataLossError("the row of the retention clock can't be read: messages are kept as if they had come just now");
  RowReader row(text);
  uint64_t version = 0;
  if (!row.Number(version) || version != kRetentionClockVersion) return unreadable;
  std::deque<Sample> samples;
  while (!row.at_end()) {
    uint64_t time = 0;
    Sample sample;
    if (!row.Char(' ') || !row.Number(time) || !row.Char(':') || !row.Number(sample.end)) return unreadable;
    if (time > static_cast<uint64_t>(INT64_MAX)) return unreadable;
    sample.time = absl::Milliseconds(static_cast<int64_t>(time));
    if (!samples.empty() && (sample.time < samples.back().time || sample.end < samples.back().end)) return unreadable;
    samples.push_back(sample);
  }
  base_ = time_ = saved_ = samples.empty() ? absl::ZeroDuration() : samples.back().time;
  // The last one may only say how much time has passed.
  if (samples.size() > 1 && samples[samples.size() - 2].end == samples.back().end) samples.pop_back();
  samples_ = std::move(samples);
  return absl::OkStatus();
}

void RetentionClock::Observe(core::MonoTime now, uint64_t end) {
  if (begun_ == core::MonoTime::Max()) {
    begun_ = now;
    // A power cut may have taken the end of the log that the samples tell of, and other messages will lie there.
    while (!samples_.empty() && samples_.back().end > end) samples_.pop_back();
  }
  time_ = base_ + (now - begun_);
  if (samples_.empty() || time_ - samples_.back().time >= step_) samples_.push_back({time_, end});
  // Of those that are old enough the newest says all that the others do.
  while (samples_.size() > 1 && time_ - samples_[1].time >= reserved_) samples_.pop_front();
}

bool RetentionClock::Expired(uint64_t end) const {
  return !samples_.empty() && samples_.front().end >= end && time_ - samples_.front().time >= reserved_;
}

std::string RetentionClock::Row() const {
  std::string row = absl::StrCat(kRetentionClockVersion);
  for (const Sample& sample : samples_) absl::StrAppend(&row, " ", absl::ToInt64Milliseconds(sample.time), ":", sample.end);
  // So much has passed since.
  if (!samples_.empty()) absl::StrAppend(&row, " ", absl::ToInt64Milliseconds(time_), ":", samples_.back().end);
  return row;
}

}  // namespace store
