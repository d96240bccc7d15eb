#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/buffer.h"
#include "net/frame.h"
#include "net/frame_encoder.h"

namespace net {

/// A pool that lives as long as the test program: frames in tests are slices of it.
inline core::BufferPool& TestPool() {
  static core::BufferPool pool(size_t{16} << 20);
  return pool;
}

inline std::string BigEndian32(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(value >> shift));
  return text;
}

/// A frame without its length field: mark, header, body.
inline std::string RawFrame(uint32_t type, std::string_view header, std::string_view body = {}) {
  return BigEndian32(type << 24 | static_cast<uint32_t>(header.size())) + std::string(header) + std::string(body);
}

inline absl::StatusOr<Frame> Decode(std::string_view bytes) { return DecodeFrame(TestPool().Copy(bytes)); }
inline absl::StatusOr<Frame> DecodeJson(std::string_view header, std::string_view body = {}) {
  return Decode(RawFrame(0, header, body));
}

/// The head as it goes over the wire, length field first.
inline std::string Encode(const FrameHead& head, size_t body_bytes = 0) {
  std::string out(EncodedHeadBound(head), '\xEE');
  const char* const end = EncodeFrameHead(out.data(), head, body_bytes);
  out.resize(static_cast<size_t>(end - out.data()));
  return out;
}

inline std::string Value(const Frame& frame, std::string_view name) {
  std::string_view value = "<none>";
  frame.Find(name, &value);
  return std::string(value);
}

}  // namespace net
