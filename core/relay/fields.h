// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace snakepit::shm::relay {

inline constexpr std::size_t kMaxFields = 16'384;  // in one payload

// What a frame says, as names with values. Both are bytes without zeros; a name may come several
// times. Who reads them ignores the names that it does not know.
class Fields {
  public:
    Fields& add(std::string_view name, std::string_view value);
    Fields& add(std::string_view name, std::int64_t value);

    // The first of that name; empty if there is none.
    std::string_view text(std::string_view name) const;
    // 0 if there is none, or it is not a number.
    std::int64_t number(std::string_view name) const;
    std::vector<std::string> all(std::string_view name) const;

    std::string encode() const;
    // protocol_error for anything that encode() does not write.
    static Result<Fields> decode(std::string_view payload);

  private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace snakepit::shm::relay
