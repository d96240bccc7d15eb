#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "store/bytes.h"
#include "store/meta_store.h"

namespace store {

/// The bytes of a meta.log, little-endian:
///
///     header of 64 bytes: 0 magic 8 | 8 format version 4 | 12 CRC32C of the header with this field zero 4 | 16 snapshot bytes 8
///              | 24 CRC32C of the folder's name 4 | zero
///     records, each on a multiple of 8: 0 magic 4 | 4 CRC32C of all that follows 4 | 8 sequence 8 | 16 bytes of the changes 4 | 20 number of changes 4
///              | changes | zero to a multiple of 8
///     a change: table 1 | 1 for set, 2 for delete 1 | zero 2 | key bytes 4 | value bytes 4 | key | value
inline constexpr size_t kMetaHeaderBytes = 64;
inline constexpr size_t kMetaRecordHeaderBytes = 24;
inline constexpr size_t kMetaChangeBytes = 12;
inline constexpr size_t kMetaFileBytesMax = size_t{4} << 30;
inline constexpr uint8_t kMetaSet = 1;
inline constexpr uint8_t kMetaDelete = 2;

/// `snapshot_bytes`: all below it was durable before the file had its name. `directory`: whose name binds the file to its folder, as the stores of
/// two shards are not to be mistaken for each other; its own name only, as the data folder may move.
std::string EncodeMetaHeader(std::string_view directory, uint64_t snapshot_bytes);
/// The snapshot bytes. kDataLoss: no header, or that of another folder; kFailedPrecondition: of another format.
absl::StatusOr<uint64_t> ParseMetaHeader(std::string_view directory, std::span<const std::byte> content);

/// Adds one change to the changes of a record; a null `value` deletes.
void AppendMetaChange(MetaTable table, std::string_view key, const std::string* value, std::string& changes);
std::string EncodeMetaRecord(uint64_t sequence, std::string_view changes, uint32_t count);

/// DIRECTORY/meta.mark beside it: 0 magic 8 | 8 sequence 8 | 16 CRC32C of bytes 0..16 4 | zero 4. That record was durable. Written after each
/// commit, never waited for by a flush, so it may say less. A meta.log that ends before it has lost what was promised: cut short, an older
/// copy, or damaged in its last record, which would pass for torn.
inline constexpr size_t kMetaMarkBytes = 24;
std::string EncodeMetaMark(uint64_t sequence);
/// Empty when it is damaged.
std::optional<uint64_t> ParseMetaMark(std::span<const std::byte> mark);

/// A record that was found whole. Points into the content.
struct MetaRecord {
  uint64_t sequence = 0;
  uint32_t count = 0;
  uint64_t bytes = 0;  // with its padding
  std::span<const std::byte> changes;
};
/// The record that begins at `at`, if a whole one does.
std::optional<MetaRecord> ParseMetaRecord(std::span<const std::byte> content, size_t at);

/// Calls `fn(MetaTable, key, optional value)` for each change. False: the changes do not fit their count and lengths.
template <typename Fn>
bool ForEachMetaChange(const MetaRecord& record, Fn&& fn) {
  std::span<const std::byte> rest = record.changes;
  for (uint32_t i = 0; i < record.count; ++i) {
    if (rest.size() < kMetaChangeBytes) return false;
    const uint8_t table = LoadLittle<uint8_t>(rest.data());
    const uint8_t what = LoadLittle<uint8_t>(rest.data() + 1);
    const size_t key_bytes = LoadLittle<uint32_t>(rest.data() + 4);
    const size_t value_bytes = LoadLittle<uint32_t>(rest.data() + 8);
    rest = rest.subspan(kMetaChangeBytes);
    if ((what != kMetaSet && what != kMetaDelete) || key_bytes > rest.size() || value_bytes > rest.size() - key_bytes)
      return false;
    const std::string_view key(reinterpret_cast<const char*>(rest.data()), key_bytes);
    const std::string_view value(reinterpret_cast<const char*>(rest.data()) + key_bytes, value_bytes);
    fn(static_cast<MetaTable>(table), key, what == kMetaSet ? std::optional(value) : std::nullopt);
    rest = rest.subspan(key_bytes + value_bytes);
  }
  return rest.empty();
}

}  // namespace store
