#include "net/request_table.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace net {

namespace {

constexpr RequestInfo kRequests[] = {
#define REQUEST(name, code, text, servers, plane, tier) \
  {RequestCode::k##name, text, static_cast<uint8_t>(servers), RequestPlane::plane, tier},
#include "net/request_codes.inc"
#undef REQUEST
};

consteval auto SortedByCode() {
  std::array<uint8_t, std::size(kRequests)> order{};
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(i);
  std::sort(order.begin(), order.end(), [](uint8_t a, uint8_t b) { return kRequests[a].code < kRequests[b].code; });
  return order;
}
constexpr auto kByCode = SortedByCode();
static_assert(std::size(kRequests) < 256);
static_assert(std::adjacent_find(kByCode.begin(), kByCode.end(), [](uint8_t a, uint8_t b) {
                return kRequests[a].code == kRequests[b].code;
              }) == kByCode.end());

}  // namespace

std::span<const RequestInfo> RequestTable() { return kRequests; }

const RequestInfo* FindRequest(int32_t code) {
  const auto at = std::lower_bound(kByCode.begin(), kByCode.end(), code, [](uint8_t index, int32_t wanted) {
    return static_cast<int32_t>(kRequests[index].code) < wanted;
  });
  if (at == kByCode.end() || static_cast<int32_t>(kRequests[*at].code) != code) return nullptr;
  return &kRequests[*at];
}

std::string_view RequestName(int32_t code) {
  const RequestInfo* info = FindRequest(code);
  return info == nullptr ? std::string_view() : info->name;
}

}  // namespace net
