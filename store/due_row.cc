#include "store/due_row.h"

#include <charconv>

#include "absl/strings/str_cat.h"

namespace store {
namespace {

/// Takes the numbers of a row one by one.
class Numbers {
 public:
  explicit Numbers(std::string_view text) : rest_(text) {}
  bool AtEnd() const { return rest_.empty(); }
  bool Next(uint64_t& number) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    if (!rest_.empty() && rest_.front() != ' ') return false;
    if (!rest_.empty()) rest_.remove_prefix(1);
    return true;
  }

 private:
  std::string_view rest_;
};

}  // namespace

std::string EncodeDueCheckpoint(const DueCheckpoint& checkpoint) {
  std::string text = absl::StrCat(kDueCheckpointVersion, " ", checkpoint.replay_from, " ", checkpoint.entered_below,
                                  " ", checkpoint.next_number);
  for (const DueCheckpoint::Run& run : checkpoint.runs)
    absl::StrAppend(&text, " ", run.number, " ", run.next, " ", run.taken_back_left);
  return text;
}

absl::StatusOr<DueCheckpoint> ParseDueCheckpoint(std::string_view text) {
  const absl::Status unreadable = absl::DataLossError("its checkpoint can't be read");
  Numbers numbers(text);
  uint64_t version = 0;
  DueCheckpoint checkpoint;
  if (!numbers.Next(version) || version != kDueCheckpointVersion || !numbers.Next(checkpoint.replay_from) ||
      !numbers.Next(checkpoint.entered_below) || !numbers.Next(checkpoint.next_number)) {
    return unreadable;
  }
  while (!numbers.AtEnd()) {
    DueCheckpoint::Run run;
    if (!numbers.Next(run.number) || !numbers.Next(run.next) || !numbers.Next(run.taken_back_left)) return unreadable;
    checkpoint.runs.push_back(run);
  }
  return checkpoint;
}

}  // namespace store
