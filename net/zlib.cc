#include "net/zlib.h"

#include <zlib.h>

#include <algorithm>

#include "core/assert.h"
#include "core/strings.h"

namespace net {
namespace {

const Bytef* BytesOf(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

}  // namespace

absl::StatusOr<std::string> Inflate(std::string_view packed, size_t bytes_max) {
  z_stream stream{};
  CORE_ASSERT(inflateInit(&stream) == Z_OK);
  stream.next_in = const_cast<Bytef*>(BytesOf(packed));  // zlib reads it only
  stream.avail_in = static_cast<uInt>(std::min<size_t>(packed.size(), UINT32_MAX));
  std::string out;
  int result = Z_OK;
  char piece[16 << 10];
  while (result == Z_OK && out.size() <= bytes_max) {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof piece - stream.avail_out);
  }
  inflateEnd(&stream);
  if (out.size() > bytes_max) {
    return absl::ResourceExhaustedError(core::StrCat("unpacks to more than ", bytes_max, " bytes"));
  }
  if (result != Z_STREAM_END) return absl::InvalidArgumentError("is no whole zlib stream");
  return out;
}

std::string Deflate(std::string_view text) {
  uLongf size = compressBound(static_cast<uLong>(text.size()));
  std::string out(size, '\0');
  CORE_ASSERT(compress2(reinterpret_cast<Bytef*>(out.data()), &size, BytesOf(text), static_cast<uLong>(text.size()),
                        Z_BEST_COMPRESSION) == Z_OK);
  out.resize(size);
  return out;
}

int32_t Crc32Masked(std::string_view bytes) {
  return static_cast<int32_t>(crc32_z(0, BytesOf(bytes), bytes.size()) & 0x7fffffff);
}

}  // namespace net
