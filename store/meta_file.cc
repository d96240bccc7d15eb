#include "store/meta_file.h"

#include <algorithm>

#include "core/strings.h"
#include "store/crc.h"

namespace store {
namespace {

constexpr uint64_t kFileMagic = 0x4154454D474E5252;  // "RRNGMETA"
constexpr uint32_t kFileVersion = 1;
constexpr uint64_t kMetaMarkMagic = 0x4B52414D4154454D;  // "METAMARK"
constexpr uint32_t kRecordMagic = 0x524D4E52;

uint32_t MetaHeaderCrc(const std::byte* header) {
  std::byte copy[kMetaHeaderBytes];
  std::copy_n(header, kMetaHeaderBytes, copy);
  StoreLittle<uint32_t>(copy + 12, 0);
  return Crc32c(copy);
}

uint32_t FolderMark(std::string_view directory) {
  const std::string_view name = directory.substr(directory.rfind('/') + 1);
  return Crc32c(std::as_bytes(std::span(name.data(), name.size())));
}

}  // namespace

std::string EncodeMetaHeader(std::string_view directory, uint64_t snapshot_bytes) {
  std::string header(kMetaHeaderBytes, '\0');
  auto* at = reinterpret_cast<std::byte*>(header.data());
  StoreLittle(at, kFileMagic);
  StoreLittle(at + 8, kFileVersion);
  StoreLittle(at + 16, snapshot_bytes);
  StoreLittle(at + 24, FolderMark(directory));
  StoreLittle(at + 12, MetaHeaderCrc(at));
  return header;
}

absl::StatusOr<uint64_t> ParseMetaHeader(std::string_view directory, std::span<const std::byte> content) {
  if (content.size() < kMetaHeaderBytes || LoadLittle<uint64_t>(content.data()) != kFileMagic ||
      LoadLittle<uint32_t>(content.data() + 12) != MetaHeaderCrc(content.data())) {
    return absl::DataLossError("has no valid header");
  }
  const uint32_t version = LoadLittle<uint32_t>(content.data() + 8);
  if (version != kFileVersion) {
    return absl::FailedPreconditionError(core::StrCat("has format ", version, ", this program writes ", kFileVersion));
  }
  if (LoadLittle<uint32_t>(content.data() + 24) != FolderMark(directory)) return absl::DataLossError("was written for another folder");
  return LoadLittle<uint64_t>(content.data() + 16);
}

std::string EncodeMetaMark(uint64_t sequence) {
  std::string mark(kMetaMarkBytes, '\0');
  auto* at = reinterpret_cast<std::byte*>(mark.data());
  StoreLittle(at, kMetaMarkMagic);
  StoreLittle(at + 8, sequence);
  StoreLittle(at + 16, Crc32c({at, 16}));
  return mark;
}

std::optional<uint64_t> ParseMetaMark(std::span<const std::byte> mark) {
  if (mark.size() != kMetaMarkBytes || LoadLittle<uint64_t>(mark.data()) != kMetaMarkMagic ||
      LoadLittle<uint32_t>(mark.data() + 16) != Crc32c(mark.first(16)) || LoadLittle<uint32_t>(mark.data() + 20) != 0) {
    return std::nullopt;
  }
  return LoadLittle<uint64_t>(mark.data() + 8);
}

void AppendMetaChange(MetaTable table, std::string_view key, const std::string* value, std::string& changes) {
  std::byte head[kMetaChangeBytes] = {};
  StoreLittle(head, static_cast<uint8_t>(table));
  StoreLittle(head + 1, value != nullptr ? kMetaSet : kMetaDelete);
  StoreLittle(head + 4, static_cast<uint32_t>(key.size()));
  StoreLittle(head + 8, static_cast<uint32_t>(value != nullptr ? value->size() : 0));
  changes.append(reinterpret_cast<const char*>(head), sizeof(head));
  changes.append(key);
  if (value != nullptr) changes.append(*value);
}

std::string EncodeMetaRecord(uint64_t sequence, std::string_view changes, uint32_t count) {
  std::string record(RoundUp(kMetaRecordHeaderBytes + changes.size(), 8), '\0');
  auto* at = reinterpret_cast<std::byte*>(record.data());
  StoreLittle(at, kRecordMagic);
  StoreLittle(at + 8, sequence);
  StoreLittle(at + 16, static_cast<uint32_t>(changes.size()));
  StoreLittle(at + 20, count);
  std::copy(changes.begin(), changes.end(), record.begin() + kMetaRecordHeaderBytes);
  StoreLittle(at + 4, Crc32c({at + 8, kMetaRecordHeaderBytes - 8 + changes.size()}));
  return record;
}

std::optional<MetaRecord> ParseMetaRecord(std::span<const std::byte> content, size_t at) {
  if (at > content.size() || content.size() - at < kMetaRecordHeaderBytes) return std::nullopt;
  const std::byte* data = content.data() + at;
  if (LoadLittle<uint32_t>(data) != kRecordMagic) return std::nullopt;
  const size_t change_bytes = LoadLittle<uint32_t>(data + 16);
  if (change_bytes > content.size() - at - kMetaRecordHeaderBytes) return std::nullopt;
  const size_t covered = kMetaRecordHeaderBytes - 8 + change_bytes;
  if (LoadLittle<uint32_t>(data + 4) != Crc32c({data + 8, covered})) return std::nullopt;
  return MetaRecord{.sequence = LoadLittle<uint64_t>(data + 8),
                    .count = LoadLittle<uint32_t>(data + 20),
                    .bytes = RoundUp(kMetaRecordHeaderBytes + change_bytes, 8),
                    .changes = content.subspan(at + kMetaRecordHeaderBytes, change_bytes)};
}

}  // namespace store
