#pragma once

#include <cstdint>
#include <string_view>

namespace store {

/// Java's String.hashCode of UTF-8 `text`: what tags are compared by.
int32_t JavaHash(std::string_view text);

/// The tags code of a message with these properties, as a send gives it: the Java hash of TAGS, 0 for none.
int64_t TagsCodeOf(std::string_view properties);

}  // namespace store
