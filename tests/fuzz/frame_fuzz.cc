// Any bytes on a connection are frames or an error, however they are cut. The first byte chooses the cuts.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/buffer.h"
#include "net/frame.h"
#include "net/frame_assembler.h"
#include "net/frame_encoder.h"
#include "net/frame_header.h"
#include "net/header.h"
#include "net/header_shapes.h"
#include "tests/fuzz/all_headers.h"

namespace {

// A header that could be read is written and read to the same, field by field.
template <typename Header>
void CheckHeader(const net::Frame& frame) {
  Header header;
  if (!net::DecodeHeader(frame, header).ok()) return;
  net::HeaderFields fields;
  fields.AddHeader(header);
  net::Frame written;
  for (const net::HeaderFields::Entry& entry : fields.entries())
    written.fields.push_back({entry.name, fields.ValueOf(entry)});
  Header again;
  if (!net::DecodeHeader(written, again).ok()) abort();
  net::HeaderFields fields_again;
  fields_again.AddHeader(again);
  if (fields_again.entries().size() != fields.entries().size()) abort();
  for (size_t i = 0; i < fields.entries().size(); ++i) {
    if (fields_again.ValueOf(fields_again.entries()[i]) != fields.ValueOf(fields.entries()[i])) abort();
  }
}

template <typename... Headers>
void CheckHeaders(const net::Frame& frame, std::tuple<Headers...>*) {
  (CheckHeader<Headers>(frame), ...);
}

// What was decoded is encoded and decoded to the same.
void CheckRoundTrip(const net::Frame& frame, core::BufferPool& pool) {
  net::HeaderFields fields;
  for (const net::ExtField& field : frame.fields) {
    if (field.name.size() <= INT16_MAX && !field.value.empty()) fields.Add(field.name, field.value);
  }
  net::FrameHead head;
  head.serialize_type = frame.serialize_type;
  head.code = frame.code;
  head.opaque = frame.opaque;
  head.flag = frame.flag;
  head.remark = frame.remark;
  head.fields = &fields;
  const size_t bound = net::EncodedHeadBound(head);
  core::Slice encoded = pool.Allocate(bound);
  char* const begin = reinterpret_cast<char*>(encoded.data());
  const char* const end = net::EncodeFrameHead(begin, head, 0);
  const auto size = static_cast<size_t>(end - begin);
  if (size > bound) abort();
  const absl::StatusOr<net::Frame> again = net::DecodeFrame(encoded.Sub(4, size - 4));
  // Escapes may have made it longer than what is allowed; nothing else may refuse it.
  if (!again.ok()) {
    if (size <= net::kHeaderBytesMax) abort();
    return;
  }
  if (again->code != frame.code || again->opaque != frame.opaque || again->flag != frame.flag ||
      again->remark != frame.remark || again->fields.size() != fields.entries().size()) {
    abort();
  }
  for (size_t i = 0; i < again->fields.size(); ++i) {
    if (again->fields[i].value != fields.ValueOf(fields.entries()[i])) abort();
  }
}

// All ways to read a JSON header come to the same.
void CheckReaders(const absl::StatusOr<net::Frame>& frame, const core::Slice& bytes) {
  if (bytes.size() < net::kMarkBytes || bytes.data()[0] != std::byte{0}) return;
  const absl::StatusOr<size_t> head_bytes = net::HeadBytes(bytes.data(), bytes.size());
  if (!head_bytes.ok()) return;
  net::Frame other;
  const bool read = net::DecodeAnyJsonHeader(reinterpret_cast<char*>(bytes.data()) + net::kMarkBytes, *head_bytes - net::kMarkBytes, other).ok();
  if (read != frame.ok()) abort();
  if (!read) return;
  if (other.code != frame->code || other.opaque != frame->opaque || other.flag != frame->flag || other.version != frame->version ||
      other.language != frame->language || other.remark != frame->remark || other.fields.size() != frame->fields.size()) {
    abort();
  }
  for (size_t i = 0; i < other.fields.size(); ++i) {
    if (other.fields[i].name != frame->fields[i].name || other.fields[i].value != frame->fields[i].value) abort();
  }
}

/// As a connection does with a frame that has begun; here every second code is refused. False when the connection would close.
bool JudgeHead(net::FrameAssembler& assembler, core::BufferPool& pool) {
  const std::span<const std::byte> begun = assembler.begun();
  if (begun.size() < net::kMarkBytes) return true;
  const absl::StatusOr<size_t> head_bytes = net::HeadBytes(begun.data(), assembler.announced());
  if (!head_bytes.ok()) return false;
  if (begun.size() < *head_bytes) return true;
  const absl::StatusOr<net::Frame> head = net::DecodeFrame(pool.Copy(begun.first(*head_bytes)));
  if (!head.ok()) return false;
  if (!head->body.empty()) abort();
  if (head->code % 2 != 0) assembler.SkipRest();
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  core::BufferPool pool(size_t{1} << 20);
  net::FrameAssembler assembler(pool, net::kFrameBytesMax);
  net::HeaderShapes shapes;
  const size_t step = data[0] == 0 ? size : data[0];
  for (size_t at = 1; at < size;) {
    const size_t count = std::min(step, size - at);
    assembler.Feed(pool.Copy(std::span(reinterpret_cast<const std::byte*>(data) + at, count)));
    at += count;
    while (true) {
      absl::StatusOr<std::optional<core::Slice>> bytes = assembler.Next();
      if (!bytes.ok()) return 0;
      if (!bytes->has_value()) break;
      if ((*bytes)->empty()) continue;  // it was skipped
      const core::Slice copy = pool.Copy((*bytes)->bytes());
      const absl::StatusOr<net::Frame> frame = net::DecodeFrame(std::move(**bytes), &shapes);
      CheckReaders(frame, copy);
      if (!frame.ok()) return 0;
      CheckHeaders(*frame, static_cast<AllHeaders*>(nullptr));
      CheckRoundTrip(*frame, pool);
    }
    if (!JudgeHead(assembler, pool)) return 0;
  }
  return 0;
}
