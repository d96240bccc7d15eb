#include "store/due_row.h"

#include "absl/strings/str_cat.h"
#include "store/row_reader.h"

namespace store {

std::string EncodeDueCheckpoint(const DueCheckpoint& checkpoint) {
  std::string text = absl::StrCat(kDueCheckpointVersion, " ", checkpoint.replay_from, " ", checkpoint.entered_below,
                                  " ", checkpoint.next_number);
  for (const DueCheckpoint::Run& run : checkpoint.runs)
    absl::StrAppend(&text, " ", run.number, " ", run.next, " ", run.taken_back_left);
  return text;
}

absl::StatusOr<DueCheckpoint> ParseDueCheckpoint(std::string_view text) {
  const absl::Status unreadable = absl::DataLossError("its checkpoint can't be read");
  RowReader row(text);
  const auto next = [&row](uint64_t& number) { return row.Char(' ') && row.Number(number); };
  uint64_t version = 0;
  DueCheckpoint checkpoint;
  if (!row.Number(version) || version != kDueCheckpointVersion || !next(checkpoint.replay_from) ||
      !next(checkpoint.entered_below) || !next(checkpoint.next_number)) {
    return unreadable;
  }
  while (!row.at_end()) {
    DueCheckpoint::Run run;
    if (!next(run.number) || !next(run.next) || !next(run.taken_back_left)) return unreadable;
    checkpoint.runs.push_back(run);
  }
  return checkpoint;
}

}  // namespace store
