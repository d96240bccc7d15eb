#include "core/sim/file_content.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"

namespace sim {
namespace {

/// More unsynced versions of one page than this are thinned out; each is a state a real device could have skipped.
constexpr size_t kVersionsMax = 8;

}  // namespace

FileContent::PageRef FileContent::PageAt(uint64_t index) const {
  const auto found = pages_.find(index);
  return found == pages_.end() ? nullptr : found->second;
}

void FileContent::SetPage(uint64_t index, PageRef page) {
  const bool fresh = pages_.insert_or_assign(index, std::move(page)).second;
  if (fresh && index >= reserved_pages_) ++pages_beyond_;
}

uint64_t FileContent::NeededBytes(uint64_t offset, uint64_t length) const {
  if (length == 0) return 0;
  uint64_t needed = 0;
  const uint64_t last = (offset + length - 1) / kPageBytes;
  for (uint64_t index = std::max(offset / kPageBytes, reserved_pages_); index <= last; ++index) {
    if (!pages_.contains(index)) needed += kPageBytes;
  }
  return needed;
}

size_t FileContent::Read(uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return 0;
  const size_t length = static_cast<size_t>(std::min<uint64_t>(into.size(), size_ - offset));
  size_t done = 0;
  while (done < length) {
    const uint64_t at = offset + done;
    const size_t begin = at % kPageBytes;
    const size_t part = std::min(length - done, kPageBytes - begin);
    const auto found = pages_.find(at / kPageBytes);
    if (found == pages_.end() || found->second == nullptr) {
      std::memset(into.data() + done, 0, part);
    } else {
      std::memcpy(into.data() + done, found->second->data() + begin, part);
    }
    done += part;
  }
  return length;
}

void FileContent::Write(uint64_t offset, std::span<const std::byte> bytes, bool durable) {
  if (bytes.empty()) return;
  const uint64_t sequence = ++sequence_;
  size_t done = 0;
  while (done < bytes.size()) {
    const uint64_t at = offset + done;
    const size_t begin = at % kPageBytes;
    const size_t part = std::min(bytes.size() - done, kPageBytes - begin);
    WritePage(at / kPageBytes, begin, bytes.subspan(done, part), durable, sequence);
    done += part;
  }
  const uint64_t end = offset + bytes.size();
  if (end > size_) SetSize(end, sequence);
  if (durable) {  // the journal's commit takes the inode as it is
    durable_size_ = size_;
    sizes_.clear();
  }
}

void FileContent::WritePage(uint64_t index, size_t begin, std::span<const std::byte> bytes, bool durable,
                            uint64_t sequence) {
  const PageRef before = PageAt(index);
  auto page = std::make_shared<Page>();
  if (bytes.size() < kPageBytes) {
    if (before != nullptr) *page = *before;
    else page->fill(std::byte{0});
  }
  std::memcpy(page->data() + begin, bytes.data(), bytes.size());
  const PageRef written = page;
  SetPage(index, written);
  if (!durable) {
    const auto [entry, fresh] = dirty_.try_emplace(index);
    if (fresh) entry->second.base = before;
    std::vector<Version>& versions = entry->second.versions;
    if (versions.size() == kVersionsMax) versions.erase(versions.begin() + kVersionsMax / 2);
    versions.push_back({sequence, written});
    return;
  }
  const auto entry = dirty_.find(index);
  if (entry == dirty_.end()) return;  // the other sectors were stable already
  const size_t first = begin / kSectorBytes * kSectorBytes;
  const size_t last = std::min(kPageBytes, (begin + bytes.size() + kSectorBytes - 1) / kSectorBytes * kSectorBytes);
  if (first == 0 && last == kPageBytes) {
    dirty_.erase(entry);
    return;
  }
  const auto with_sectors = [&](const PageRef& old) {
    auto mixed = std::make_shared<Page>();
    if (old != nullptr) *mixed = *old;
    else mixed->fill(std::byte{0});
    std::memcpy(mixed->data() + first, written->data() + first, last - first);
    return PageRef(mixed);
  };
  entry->second.base = with_sectors(entry->second.base);
  for (Version& version : entry->second.versions) version.page = with_sectors(version.page);
}

void FileContent::SetSize(uint64_t size, uint64_t sequence) {
  size_ = size;
  sizes_.push_back({sequence, size});
}

void FileContent::DropPagesFrom(uint64_t index, uint64_t sequence) {
  for (auto page = pages_.lower_bound(index); page != pages_.end(); page = pages_.erase(page)) {
    if (page->first >= reserved_pages_) --pages_beyond_;
    const auto [entry, fresh] = dirty_.try_emplace(page->first);
    if (fresh) entry->second.base = page->second;
    entry->second.versions.push_back({sequence, nullptr});
  }
}

void FileContent::Truncate(uint64_t length) {
  const uint64_t sequence = ++sequence_;
  if (length < size_) {
    const uint64_t kept = (length + kPageBytes - 1) / kPageBytes;
    DropPagesFrom(kept, sequence);
    if (reserved_pages_ > kept) reserved_pages_ = kept;
    const size_t tail = length % kPageBytes;
    if (tail != 0 && PageAt(length / kPageBytes) != nullptr) {
      const std::vector<std::byte> zeros(kPageBytes - tail);
      WritePage(length / kPageBytes, tail, zeros, false, sequence);
    }
  }
  if (length != size_) SetSize(length, sequence);
}

void FileContent::Allocate(uint64_t length) {
  const uint64_t pages = (length + kPageBytes - 1) / kPageBytes;
  if (pages > reserved_pages_) {
    for (auto page = pages_.lower_bound(reserved_pages_); page != pages_.end() && page->first < pages; ++page) {
      --pages_beyond_;
    }
    reserved_pages_ = pages;
  }
  if (length > size_) SetSize(length, ++sequence_);
}

void FileContent::EndSync(uint64_t mark) {
  for (auto entry = dirty_.begin(); entry != dirty_.end();) {
    std::vector<Version>& versions = entry->second.versions;
    size_t covered = 0;
    while (covered < versions.size() && versions[covered].sequence <= mark) ++covered;
    if (covered > 0) {
      entry->second.base = versions[covered - 1].page;
      versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(covered));
    }
    // After a failed sync what is read may differ from what is stable: such a page stays listed.
    if (versions.empty() && entry->second.base == PageAt(entry->first)) entry = dirty_.erase(entry);
    else ++entry;
  }
  size_t covered = 0;
  while (covered < sizes_.size() && sizes_[covered].sequence <= mark) durable_size_ = sizes_[covered++].size;
  sizes_.erase(sizes_.begin(), sizes_.begin() + static_cast<std::ptrdiff_t>(covered));
}

void FileContent::Settle() {
  dirty_.clear();
  sizes_.clear();
  durable_size_ = size_;
}

void FileContent::FailSync(uint64_t mark) {
  for (auto& [index, dirty] : dirty_) {
    std::erase_if(dirty.versions, [mark](const Version& version) { return version.sequence <= mark; });
  }
}

FileContent::PageRef FileContent::MixSectors(const PageRef& base, const std::vector<Version>& versions, Random& random) {
  if (versions.empty()) return base;
  auto mixed = std::make_shared<Page>();
  for (size_t at = 0; at < kPageBytes; at += kSectorBytes) {
    const PageRef* from = &base;
    if (random.OneIn(2)) {
      from = &versions.back().page;
    } else {
      const uint64_t pick = random.Below(versions.size() + 1);
      if (pick > 0) from = &versions[pick - 1].page;
    }
    if (*from == nullptr) std::memset(mixed->data() + at, 0, kSectorBytes);
    else std::memcpy(mixed->data() + at, (*from)->data() + at, kSectorBytes);
  }
  return mixed;
}

FileContent::PageRef FileContent::Survivor(const Dirty& dirty, CutMode mode, uint64_t cut, Random& random) const {
  switch (mode) {
    case CutMode::kNothing:
      return dirty.base;
    case CutMode::kAll:
      return dirty.versions.empty() ? dirty.base : dirty.versions.back().page;
    case CutMode::kSectors:
      return MixSectors(dirty.base, dirty.versions, random);
    case CutMode::kPrefix:
      break;
  }
  PageRef survivor = dirty.base;
  for (const Version& version : dirty.versions) {
    if (version.sequence > cut) break;
    survivor = version.sequence == cut ? MixSectors(survivor, {version}, random) : version.page;
  }
  return survivor;
}

void FileContent::CutPower(CutMode mode, Random& random) {
  uint64_t first = sequence_;
  for (const auto& [index, dirty] : dirty_) {
    if (!dirty.versions.empty()) first = std::min(first, dirty.versions.front().sequence);
  }
  const uint64_t cut = first + random.Below(sequence_ - first + 1);
  for (const auto& [index, dirty] : dirty_) {
    PageRef survivor = Survivor(dirty, mode, cut, random);
    if (survivor != nullptr) {
      SetPage(index, std::move(survivor));
    } else if (pages_.erase(index) > 0 && index >= reserved_pages_) {
      --pages_beyond_;
    }
  }
  dirty_.clear();
  uint64_t size = durable_size_;
  if (mode == CutMode::kAll) {
    size = size_;
  } else if (mode == CutMode::kPrefix) {
    for (const Size& change : sizes_) {
      if (change.sequence <= cut) size = change.size;
    }
  } else if (mode == CutMode::kSectors && !sizes_.empty()) {
    const uint64_t pick = random.Below(sizes_.size() + 1);
    if (pick > 0) size = sizes_[pick - 1].size;
  }
  sizes_.clear();
  size_ = durable_size_ = size;
  // Nothing lies beyond the end, and a file that grows again reads as zeros there.
  const uint64_t kept = (size + kPageBytes - 1) / kPageBytes;
  for (auto page = pages_.lower_bound(kept); page != pages_.end(); page = pages_.erase(page)) {
    if (page->first >= reserved_pages_) --pages_beyond_;
  }
  const size_t tail = size % kPageBytes;
  if (const PageRef last = tail == 0 ? nullptr : PageAt(size / kPageBytes); last != nullptr) {
    auto page = std::make_shared<Page>(*last);
    std::memset(page->data() + tail, 0, kPageBytes - tail);
    SetPage(size / kPageBytes, std::move(page));
  }
  if (reserved_pages_ > kept) reserved_pages_ = kept;
}

void FileContent::FlipBit(uint64_t offset, int bit) {
  CORE_ASSERT(offset < size_ && bit >= 0 && bit < 8);
  const uint64_t index = offset / kPageBytes;
  const auto flipped = [&](const PageRef& old) {
    auto page = std::make_shared<Page>();
    if (old != nullptr) *page = *old;
    else page->fill(std::byte{0});
    (*page)[offset % kPageBytes] ^= static_cast<std::byte>(1 << bit);
    return PageRef(page);
  };
  SetPage(index, flipped(PageAt(index)));
  const auto entry = dirty_.find(index);
  if (entry == dirty_.end()) return;
  entry->second.base = flipped(entry->second.base);
  for (Version& version : entry->second.versions) version.page = flipped(version.page);
}

}  // namespace sim
