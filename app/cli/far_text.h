// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace snakepit::shm::cli {

// Text of another machine, as it may reach a terminal: lines, tabs, colors, and the two sequences
// by which a list is drawn again. Everything else that a terminal would obey is replaced. Takes it
// in pieces, which may end anywhere.
class FarText {
  public:
    std::string take(std::string_view piece);
    // What is left: the beginning of something that did not come whole.
    std::string finish();

  private:
    std::string text_;  // not shown yet
};

}  // namespace snakepit::shm::cli
