#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace broker {

/// What has become of a message's copies in light queues so far: the offset in each, -1 where it was left out. Which is not in it is to be made.
using DispatchState = std::map<std::string, int64_t, std::less<>>;

}  // namespace broker
