#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/file.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "core/task.h"
#include "store/all_zero.h"
#include "store/run_page.h"
#include "store/tools/finding.h"

namespace store::tools {

/// Reads a file of sorted entries (store/run_file.h) as a whole, and says what is damaged of it: where, and what that means.
template <typename Entry>
class RunCheck {
 public:
  /// `file` as findings name it. `counts`: the broker goes by it, so that damage is damage; `effect` of that.
  RunCheck(std::string file, bool counts, std::string_view effect, std::vector<Finding>& findings)
      : file_(std::move(file)), counts_(counts), effect_(effect), findings_(findings) {}

  /// The block of the header. Nothing, which has been said: it can't be read, or is not written yet.
  core::Task<std::optional<core::Slice>> ReadHeader(core::File& file, uint64_t file_bytes) {
    const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
    const absl::Status read = co_await file.ReadExactlyAt(0, {block.data(), kBlock});
    if (absl::IsOutOfRange(read) || (read.ok() && AllZero(block.bytes()))) {
      // The header comes last: until then the file does not count.
      if (counts_)
        Damage(0, std::min<uint64_t>(file_bytes, kBlock), "it has no header");
      else
        Note("it is not finished: it is being written, or was when the broker ended");
      co_return std::nullopt;
    }
    if (!read.ok()) {
      Damage(0, kBlock, core::StrCat("the header can't be read: ", core::ToStd(read.message())));
      co_return std::nullopt;
    }
    co_return block;
  }

  /// The header's block has nothing behind its first `used` bytes.
  void CheckUnused(const core::Slice& header, size_t used) {
    if (AllZero(header.bytes().subspan(used))) return;
    findings_.push_back({.file = file_,
                         .begin = used,
                         .end = kBlock,
                         .what = "bytes behind the header are not zero",
                         .effect = "costs nothing: nothing is kept there"});
  }

  /// All pages, calling `see(entry)` for each entry of those that are good. The bytes that were read.
  template <typename See>
  core::Task<uint64_t> ReadPages(core::File& file, uint64_t file_bytes, uint32_t mark, uint64_t entries, See see) {
    const core::Slice memory = core::Reactor::Current().buffers().Allocate(kPiecePages * kBlock);
    const uint64_t pages = (entries + kRunPageEntries - 1) / kRunPageEntries;
    uint64_t bytes = 0;
    for (uint64_t page = 0; page < pages; page += kPiecePages) {
      const uint64_t count = std::min(kPiecePages, pages - page);
      const absl::StatusOr<size_t> got = co_await file.ReadAt((1 + page) * kBlock, {memory.data(), count * kBlock});
      for (uint64_t i = 0; i < count; ++i) {
        if (got.ok() && *got < (i + 1) * kBlock) {
          whole_ = false;
          Damage(
              file_bytes, (1 + pages) * kBlock,
              core::StrCat("the file was cut short: it has ", file_bytes, " of its ", (1 + pages) * kBlock, " bytes"));
          co_return bytes;
        }
        // A sector that can't be read costs what lies in it: its neighbours are asked for one by one.
        absl::Status readable = got.status();
        if (!got.ok())
          readable = co_await file.ReadExactlyAt((1 + page + i) * kBlock, {memory.data() + i * kBlock, kBlock});
        const uint64_t wanted = std::min<uint64_t>(kRunPageEntries, entries - (page + i) * kRunPageEntries);
        CheckPage(memory.bytes().subspan(i * kBlock, kBlock), readable, mark, page + i, wanted, see);
        bytes += kBlock;
      }
    }
    co_return bytes;
  }
  /// Nothing was wrong with the pages.
  bool whole() const { return whole_; }

  void Damage(uint64_t begin, uint64_t end, std::string what) {
    // What does not count is of no use, whole or not.
    findings_.push_back({.severity = counts_ ? Severity::kDamage : Severity::kNote,
                         .file = file_,
                         .begin = begin,
                         .end = end,
                         .what = std::move(what),
                         .effect = std::string(counts_ ? effect_ : kRemoved)});
  }
  void Note(std::string what) {
    findings_.push_back(
        {.severity = Severity::kNote, .file = file_, .what = std::move(what), .effect = std::string(kRemoved)});
  }

 private:
  static constexpr uint64_t kPiecePages = 256;
  static constexpr std::string_view kRemoved = "removed at the next start";

  template <typename See>
  void CheckPage(std::span<const std::byte> block, const absl::Status& readable, uint32_t mark, uint64_t page,
                 uint64_t wanted, See& see) {
    std::vector<Entry> entries;
    absl::Status status = readable;
    if (status.ok()) status = ParseRunPage(block, mark, static_cast<uint32_t>(page), entries);
    if (status.ok() && entries.size() != wanted) status = absl::DataLossError("it has not all of its entries");
    for (const Entry& entry : entries) {
      if (status.ok() && last_.has_value() && entry < *last_)
        status = absl::DataLossError("its entries are not in their order");
      last_ = entry;
      see(entry);
    }
    if (status.ok()) return;
    whole_ = false;
    last_.reset();
    Damage((1 + page) * kBlock, (2 + page) * kBlock, core::StrCat("page ", page, ": ", core::ToStd(status.message())));
  }

  const std::string file_;
  const bool counts_;
  const std::string_view effect_;
  std::vector<Finding>& findings_;
  std::optional<Entry> last_;
  bool whole_ = true;
};

}  // namespace store::tools
