#pragma once

#include <cstddef>

namespace net {

/// Unescapes a JSON string where it lies: it never gets longer. `at` points behind the opening `quote`. On success `at` is behind the closing
/// one and the text is [begin, *end); false for an end of input or an escape that is none. Raw control characters are text. Halves of
/// surrogate pairs that stand alone become '?', as Java writes them.
bool UnescapeString(char*& at, const char* limit, char quote, char** end);

}  // namespace net
