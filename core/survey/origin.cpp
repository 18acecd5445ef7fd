// SPDX-License-Identifier: MIT
#include "survey/origin.h"

#include <fmt/format.h>

namespace snakepit::shm::survey {

std::string table_identity(std::uint64_t id, std::int64_t creator, Timestamp created) {
    return fmt::format("{}:{}:{}", id, creator, created.micros);
}

}  // namespace snakepit::shm::survey
