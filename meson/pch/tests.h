// As common.h, for test binaries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "meson/pch/common.h"
