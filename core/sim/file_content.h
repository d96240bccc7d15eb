#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/sim/random.h"

namespace sim {

/// What a power cut leaves of the writes that were not synced.
enum class CutMode {
  kNothing,  // the device had written none of it
  kAll,      // it had written everything
  kSectors,  // any of the versions of each 512-byte sector, sector by sector
  kPrefix,   // the writes up to a moment, the last one torn
};

/// The bytes of one file in two states: what a reader sees now, and what stable storage holds; with every version in between that the
/// device may or may not have written. A sector (512 bytes) is the unit that is never torn.
class FileContent {
 public:
  static constexpr size_t kPageBytes = 4096;
  static constexpr size_t kSectorBytes = 512;

  uint64_t size() const { return size_; }
  uint64_t durable_size() const { return durable_size_; }
  /// Bytes of the disk that it takes.
  uint64_t used_bytes() const { return (reserved_pages_ + pages_beyond_) * kPageBytes; }
  /// What writing [offset, offset + length) would add to used_bytes().
  uint64_t NeededBytes(uint64_t offset, uint64_t length) const;

  size_t Read(uint64_t offset, std::span<std::byte> into) const;
  /// `durable`: these bytes (and the size) are on stable storage at once; others that were written before are not.
  void Write(uint64_t offset, std::span<const std::byte> bytes, bool durable);
  void Truncate(uint64_t length);
  void Allocate(uint64_t length);

  /// A sync covers what was written before it began: BeginSync then, EndSync with its result at its end.
  uint64_t BeginSync() const { return sequence_; }
  void EndSync(uint64_t mark);
  /// A sync failed: as on Linux the pages count as clean from now on, so a later sync that succeeds does not save them.
  void FailSync(uint64_t mark);

  /// Everything that is seen is stable.
  void Settle();
  /// The power goes; what remains is stable.
  void CutPower(CutMode mode, Random& random);
  /// The medium's own damage, in all versions.
  void FlipBit(uint64_t offset, int bit);
  /// Nothing would be lost by a power cut.
  bool clean() const { return dirty_.empty() && sizes_.empty() && size_ == durable_size_; }

 private:
  using Page = std::array<std::byte, kPageBytes>;
  using PageRef = std::shared_ptr<const Page>;  // null: zeros
  struct Version {
    uint64_t sequence;
    PageRef page;
  };
  struct Dirty {
    PageRef base;  // on stable storage
    std::vector<Version> versions;
  };
  struct Size {
    uint64_t sequence;
    uint64_t size;
  };

  PageRef PageAt(uint64_t index) const;
  void SetPage(uint64_t index, PageRef page);
  void DropPagesFrom(uint64_t index, uint64_t sequence);
  void WritePage(uint64_t index, size_t begin, std::span<const std::byte> bytes, bool durable, uint64_t sequence);
  void SetSize(uint64_t size, uint64_t sequence);
  PageRef Survivor(const Dirty& dirty, CutMode mode, uint64_t cut, Random& random) const;
  static PageRef MixSectors(const PageRef& base, const std::vector<Version>& versions, Random& random);

  std::map<uint64_t, PageRef> pages_;
  std::map<uint64_t, Dirty> dirty_;
  uint64_t size_ = 0;
  uint64_t durable_size_ = 0;
  std::vector<Size> sizes_;  // not yet durable
  uint64_t reserved_pages_ = 0;
  uint64_t pages_beyond_ = 0;  // in pages_, at or beyond reserved_pages_
  uint64_t sequence_ = 0;
};

}  // namespace sim
