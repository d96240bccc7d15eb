#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/sim/world.h"
#include "core/status.h"
#include "store/tools/overview.h"
#include "store/tools/verify.h"

namespace store::tools {

/// What the tools say of the folder "data".
struct Looked {
  VerifyReport report;
  Overview overview;
};

inline core::Task<absl::Status> LookMain(Looked* out) {
  CO_ASSIGN_OR_RETURN(out->report, co_await VerifyFolder("data"));
  CO_ASSIGN_OR_RETURN(out->overview, co_await InspectFolder("data"));
  co_return absl::OkStatus();
}

/// Looks, and fails the test when looking has written.
inline Looked LookAt(sim::World& world, sim::Node& node) {
  Looked looked;
  const uint64_t before = node.disk().Hash();
  node.Start([&looked] { return LookMain(&looked); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(node.disk().Hash(), before) << "it has written";
  return looked;
}

inline std::vector<std::string> FilesWith(sim::Node& node, std::string_view suffix) {
  std::vector<std::string> files = node.disk().Files();
  std::erase_if(files, [suffix](const std::string& file) { return !file.ends_with(suffix); });
  return files;
}

}  // namespace store::tools
