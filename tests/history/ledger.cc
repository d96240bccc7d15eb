#include "tests/history/ledger.h"

#include <algorithm>

#include "core/strings.h"

namespace history {

Sighting& Queue::FirstAt(int64_t offset) {
  const int64_t number = offset / kPageOffsets;
  if (number != last_number_ || last_page_ == nullptr) {
    std::unique_ptr<Page>& page = pages_[number];
    if (page == nullptr) page = std::make_unique<Page>();
    last_number_ = number;
    last_page_ = page.get();
  }
  return (*last_page_)[static_cast<size_t>(offset % kPageOffsets)];
}

const Sighting* Queue::Find(int64_t offset) const {
  const auto page = pages_.find(offset / kPageOffsets);
  if (page == pages_.end()) return nullptr;
  const Sighting& sighting = (*page->second)[static_cast<size_t>(offset % kPageOffsets)];
  return sighting.value == kNoName ? nullptr : &sighting;
}

std::vector<std::pair<int64_t, const Queue::Page*>> Queue::Pages() const {
  std::vector<std::pair<int64_t, const Page*>> pages;
  pages.reserve(pages_.size());
  for (const auto& [number, page] : pages_) pages.emplace_back(number, page.get());
  std::sort(pages.begin(), pages.end());
  return pages;
}

std::string Ledger::NameOf(OpRef op) const {
  return core::StrCat(workers.TextOf(static_cast<uint32_t>(op >> 40)), "#", op & (static_cast<OpRef>(kOpsMax) - 1));
}

Sighting& Ledger::SightingOf(uint32_t queue, int64_t offset, uint32_t value, bool& fresh) {
  Sighting& first = QueueOf(queue).FirstAt(offset);
  fresh = first.value == kNoName;
  if (fresh) first.value = value;
  if (first.value == value) return first;
  std::vector<Sighting>& further = others[{queue, offset}];
  for (Sighting& sighting : further) {
    if (sighting.value == value) return sighting;
  }
  fresh = true;
  further.emplace_back().value = value;
  return further.back();
}

const Sighting* Ledger::FindSighting(uint32_t queue, int64_t offset, uint32_t value) const {
  const Sighting* first = queue < queues.size() ? queues[queue].Find(offset) : nullptr;
  if (first == nullptr || first->value == value) return first;
  const auto further = others.find({queue, offset});
  if (further == others.end()) return nullptr;
  const auto found = std::find_if(further->second.begin(), further->second.end(),
                                  [value](const Sighting& sighting) { return sighting.value == value; });
  return found == further->second.end() ? nullptr : &*found;
}

}  // namespace history
