// Read once per library instead of once per source file: the standard library and Abseil as far as nearly every file includes them.
// Sources still include what they use. Debug builds and ./dev lint go without this header and so find what is missing.
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <coroutine>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
