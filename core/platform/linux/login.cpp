// SPDX-License-Identifier: MIT
#include "platform/login.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <climits>

#include <fmt/format.h>

namespace snakepit::shm {

std::int64_t user_id() {
    return ::geteuid();
}

std::string user_name() {
    std::array<char, 4096> buffer;
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
        return found->pw_name;
    return fmt::format("{}", ::geteuid());
}

std::string host_name() {
    std::array<char, HOST_NAME_MAX + 1> buffer{};
    return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data() : "";
}

}  // namespace snakepit::shm
