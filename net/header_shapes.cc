#include "net/header_shapes.h"

#include <algorithm>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "net/header.h"

namespace net {

namespace {

constexpr size_t kBlock = 16;
constexpr size_t kTextMax = 1024;
constexpr size_t kFieldsMax = 24;
constexpr size_t kEscapesMax = 32;
constexpr size_t kEscapeBytes = 6;  // the only ones in a shape: of a control character below 10, such as \u0001, which separate properties
constexpr uint8_t kFixed = 0xFF;
/// Of the headers of a slot that are not known so many come between two that are learned: clients that take turns in it must not make it a waste of time.
constexpr uint8_t kLearnOneIn = 8;

struct Place {
  uint16_t at = 0;
  uint16_t size = 0;
  std::string_view In(const char* text) const { return {text + at, size}; }
};

Place PlaceOf(const char* text, std::string_view part) {
  return {static_cast<uint16_t>(part.data() - text), static_cast<uint16_t>(part.size())};
}

// Whether 16 bytes are those of the shape where it is fixed, and elsewhere neither end a string nor begin an escape.
#if defined(__SSE2__)
bool BlockFits(const char* text, const char* shape, const uint8_t* fixed) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
  const __m128i same = _mm_cmpeq_epi8(bytes, _mm_loadu_si128(reinterpret_cast<const __m128i*>(shape)));
  const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  const __m128i mask = _mm_loadu_si128(reinterpret_cast<const __m128i*>(fixed));
  // Fixed: it must be the same. Else: it must not be special.
  const __m128i wrong = _mm_or_si128(_mm_andnot_si128(same, mask), _mm_andnot_si128(mask, special));
  return _mm_movemask_epi8(wrong) == 0;
}
#else
bool BlockFits(const char* text, const char* shape, const uint8_t* fixed) {
  for (size_t i = 0; i < kBlock; ++i) {
    if (fixed[i] == kFixed ? text[i] != shape[i] : text[i] == '"' || text[i] == '\\') return false;
  }
  return true;
}
#endif

}  // namespace

struct HeaderShapes::Shape {
  struct Field {
    Place name;
    Place value;
    uint16_t escapes_end = 0;  // its own are those of the fields before up to here
  };

  bool Fits(const char* text) const {
    for (size_t at = 0; at + kBlock <= size; at += kBlock) {
      if (!BlockFits(text + at, bytes.data() + at, fixed.data() + at)) return false;
    }
    const size_t last = size - kBlock;
    return BlockFits(text + last, bytes.data() + last, fixed.data() + last);
  }

  size_t size = 0;  // 0: nothing was learned yet
  int32_t code = 0;
  int32_t language = 0;
  int32_t version = 0;
  int32_t flag = 0;
  Place opaque;
  Place remark;
  size_t field_count = 0;
  std::array<Field, kFieldsMax> fields;
  std::array<uint16_t, kEscapesMax> escapes;  // places
  std::array<char, kTextMax> bytes;
  std::array<uint8_t, kTextMax> fixed;
};

HeaderShapes::HeaderShapes() = default;
HeaderShapes::~HeaderShapes() = default;

bool HeaderShapes::Read(char* text, size_t size, Frame& frame) const {
  const Shape* const shape = shapes_[SlotOf(size)].get();
  if (size < kBlock || shape == nullptr || shape->size != size || !shape->Fits(text)) return false;
  int32_t opaque = 0;
  if (text[shape->opaque.at] == '+' || !internal::ReadValue(shape->opaque.In(text), opaque)) return false;
  frame.code = shape->code;
  frame.language = shape->language;
  frame.version = shape->version;
  frame.flag = shape->flag;
  frame.opaque = opaque;
  frame.remark = shape->remark.In(text);
  size_t escape = 0;
  for (size_t i = 0; i < shape->field_count; ++i) {
    const Shape::Field& field = shape->fields[i];
    std::string_view value = field.value.In(text);
    if (escape < field.escapes_end) {
      // What stands between the escapes moves forward, each time over more of them.
      char* const begin = text + field.value.at;
      const char* from = begin;
      char* out = begin;
      for (; escape < field.escapes_end; ++escape) {
        const char* const place = text + shape->escapes[escape];
        const char character = static_cast<char>(place[kEscapeBytes - 1] - '0');
        const auto plain = static_cast<size_t>(place - from);
        if (out != from) std::memmove(out, from, plain);
        out += plain;
        *out++ = character;
        from = place + kEscapeBytes;
      }
      const auto plain = static_cast<size_t>(begin + field.value.size - from);
      std::memmove(out, from, plain);
      value = {begin, static_cast<size_t>(out + plain - begin)};
    }
    ExtField& made = frame.fields.emplace_back();
    made.name = field.name.In(text);
    made.value = value;
  }
  return true;
}

bool HeaderShapes::Wants(size_t size) {
  if (size < kBlock || size > kTextMax) return false;
  return unknown_[SlotOf(size)]++ % kLearnOneIn == 0;
}

void HeaderShapes::Learn(const char* text, size_t size, const Frame& frame, std::string_view opaque) {
  if (size < kBlock || size > kTextMax || frame.fields.size() > kFieldsMax || opaque.empty()) return;
  std::array<uint16_t, kFieldsMax> escapes_end;
  std::array<uint16_t, kEscapesMax> all_escapes;
  size_t escapes = 0;
  for (size_t i = 0; i < frame.fields.size(); ++i) {
    const std::string_view value = frame.fields[i].value;
    for (size_t at = value.find('\\'); at != std::string_view::npos; at = value.find('\\', at + kEscapeBytes)) {
      const std::string_view escape = value.substr(at, kEscapeBytes);
      if (escapes == kEscapesMax || escape.size() < kEscapeBytes || !escape.starts_with("\\u000") || escape.back() < '0' || escape.back() > '9') return;
      all_escapes[escapes++] = PlaceOf(text, escape).at;
    }
    escapes_end[i] = static_cast<uint16_t>(escapes);
  }

  std::unique_ptr<Shape>& slot = shapes_[SlotOf(size)];
  if (slot == nullptr) slot = std::make_unique<Shape>();
  Shape& shape = *slot;
  std::memcpy(shape.bytes.data(), text, size);
  std::fill_n(shape.fixed.begin(), size, kFixed);
  const auto set_free = [&shape](Place place) { std::fill_n(shape.fixed.begin() + place.at, place.size, uint8_t{0}); };

  shape.field_count = frame.fields.size();
  for (size_t i = 0; i < shape.field_count; ++i) {
    Shape::Field& field = shape.fields[i];
    field.name = PlaceOf(text, frame.fields[i].name);
    field.value = PlaceOf(text, frame.fields[i].value);
    field.escapes_end = escapes_end[i];
    set_free(field.value);
  }
  shape.escapes = all_escapes;
  for (size_t i = 0; i < escapes; ++i) std::fill_n(shape.fixed.begin() + all_escapes[i], kEscapeBytes, kFixed);
  shape.code = frame.code;
  shape.language = frame.language;
  shape.version = frame.version;
  shape.flag = frame.flag;
  shape.opaque = PlaceOf(text, opaque);
  set_free(shape.opaque);
  shape.remark = frame.remark.empty() ? Place{} : PlaceOf(text, frame.remark);
  shape.size = size;
}

}  // namespace net
