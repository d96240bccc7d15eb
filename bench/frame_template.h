#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// One frame: its length, the length of the JSON header, both.
std::string FrameOf(std::string_view header, std::string_view body);

/// A request frame built once, whose changing numbers have fixed width and are overwritten in place for each send: what a client
/// sends, at the cost of a copy.
class FrameTemplate {
 public:
  /// A send of `batch` messages (310, or 320 above one) as the Java client writes it: short keys, UNIQ_KEY and WAIT properties. A `timer` message has a time to
  /// be delivered at, too; it can't be in a batch.
  static FrameTemplate Send(std::string_view topic, std::string_view group, size_t body_bytes, int32_t batch, bool timer = false);
  /// A pull of up to `messages_max` with subscription "*", held by the broker up to `suspend_ms` when nothing is there.
  static FrameTemplate Pull(std::string_view topic, std::string_view group, int32_t messages_max, int64_t suspend_ms);

  std::span<const std::byte> bytes() const { return {reinterpret_cast<const std::byte*>(frame_.data()), frame_.size()}; }

  /// 1,000,000,000 .. 2,147,483,647: ten digits always.
  void SetOpaque(int32_t opaque) { Put(opaque_at_, 10, static_cast<uint64_t>(opaque)); }
  void SetQueue(int32_t queue) { Put(queue_at_, 4, static_cast<uint64_t>(queue)); }
  void SetBornTime(int64_t millis) { Put(born_at_, 13, static_cast<uint64_t>(millis)); }
  void SetDeliverTime(int64_t millis) { Put(deliver_at_, 13, static_cast<uint64_t>(millis)); }
  void SetUniqueKey(uint64_t key) { Put(key_at_, 20, key); }
  void SetQueueOffset(int64_t offset) { Put(offset_at_, 19, static_cast<uint64_t>(offset)); }
  /// Writes `stamp` (8 bytes, this machine's order) at the start of every body.
  void SetStamp(int64_t stamp);

 private:
  void Put(size_t at, size_t width, uint64_t value);
  static std::string Header(int32_t code, std::string_view ext_fields);
  size_t Locate(std::string_view marker);

  std::string frame_;
  size_t opaque_at_ = 0;
  size_t queue_at_ = 0;
  size_t born_at_ = 0;
  size_t deliver_at_ = 0;
  size_t key_at_ = 0;
  size_t offset_at_ = 0;
  std::vector<size_t> bodies_at_;
};

}  // namespace bench
