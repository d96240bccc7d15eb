#include "store/key_table.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "core/reactor.h"

namespace store {
namespace {

/// Sorted in one go.
constexpr size_t kSlice = 2048;

/// Entries of one part, in the order of the log. Their next bits leave one or two at a place, and those nearly always in order: a third of the time of a
/// sort that compares.
void SortSlice(std::span<KeyEntry> entries) {
  constexpr size_t kPlaces = 256;
  if (entries.size() < 2) return;
  const auto place = [](const KeyEntry& entry) { return (entry.hash >> 48) & (kPlaces - 1); };
  std::array<uint16_t, kPlaces> next{};
  for (const KeyEntry& entry : entries) ++next[place(entry)];
  uint16_t begin = 0;
  for (uint16_t& one : next) begin = static_cast<uint16_t>(begin + std::exchange(one, begin));
  std::array<KeyEntry, kSlice> placed;
  for (const KeyEntry& entry : entries) placed[next[place(entry)]++] = entry;
  std::copy(placed.begin(), placed.begin() + static_cast<ptrdiff_t>(entries.size()), entries.begin());
  size_t moves = 4 * entries.size();
  for (size_t i = 1; i < entries.size(); ++i) {
    const KeyEntry entry = entries[i];
    size_t to = i;
    for (; to > 0 && entry < entries[to - 1] && moves > 0; --to, --moves) entries[to] = entries[to - 1];
    entries[to] = entry;
  }
  if (moves == 0) std::sort(entries.begin(), entries.end());  // keys that many messages have met at one place
}

}  // namespace

std::vector<RecordRef> KeyTable::Find(uint64_t hash) const {
  std::vector<RecordRef> found;
  for (const KeyEntry& entry : parts_[PartOf(hash)]) {
    if (entry.hash == hash) found.push_back(entry.record);
  }
  std::sort(found.begin(), found.end(), [](const RecordRef& a, const RecordRef& b) { return a.position < b.position; });
  return found;
}

core::Task<void> KeyTable::Sort() {
  size_t sorted = 0;  // since the last chance for everyone else
  for (std::vector<KeyEntry>& part : parts_) {
    // One part is longer only when many messages share a key: sorted in pieces, which are merged.
    for (size_t begin = 0; begin < part.size(); begin += kSlice) {
      const size_t end = std::min(part.size(), begin + kSlice);
      SortSlice(std::span(part).subspan(begin, end - begin));
      sorted += end - begin;
      if (sorted < kSlice) continue;
      sorted = 0;
      co_await core::Yield();
    }
    for (size_t width = kSlice; width < part.size(); width *= 2) {
      for (size_t begin = 0; begin + width < part.size(); begin += 2 * width) {
        const auto first = part.begin() + static_cast<ptrdiff_t>(begin);
        const auto last = part.begin() + static_cast<ptrdiff_t>(std::min(part.size(), begin + 2 * width));
        std::vector<KeyEntry> merged(static_cast<size_t>(last - first));
        std::merge(first, first + static_cast<ptrdiff_t>(width), first + static_cast<ptrdiff_t>(width), last,
                   merged.begin());
        std::copy(merged.begin(), merged.end(), first);
        co_await core::Yield();
      }
    }
  }
}

void KeyTable::Clear() {
  const size_t usual = 4 * entries_max_ / kParts;
  for (std::vector<KeyEntry>& part : parts_) {
    part.clear();
    if (part.capacity() > usual) part = {};
  }
  size_ = 0;
}

}  // namespace store
