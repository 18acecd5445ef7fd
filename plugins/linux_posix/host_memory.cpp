// SPDX-License-Identifier: MIT
#include "linux_posix/host_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kMostSpared = 64ULL << 20;  // bytes

// The number behind `key` on a line of its own.
std::optional<std::uint64_t> field(const std::string& path, std::string_view key) {
    std::ifstream file(path);
    for (std::string name; file >> name;) {
        std::uint64_t value = 0;
        if (name == key && file >> value) return value;
        file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return std::nullopt;
}

std::optional<std::uint64_t> number(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    if (file >> value) return value;
    return std::nullopt;  // "max", or not there
}

std::uint64_t left(std::uint64_t total, std::uint64_t available) {
    const auto spared = std::min(kMostSpared, total / 32);
    return available > spared ? available - spared : 0;
}

// "0::/system.slice/…": the path in the one hierarchy there is.
std::string own_group(const std::string& root) {
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::/")) return line.substr(3);
    return "/";
}

}  // namespace

HostMemory host_memory(const std::string& root) {
    HostMemory memory;
    const auto meminfo = root + "/proc/meminfo";
    const auto total = field(meminfo, "MemTotal:"), available = field(meminfo, "MemAvailable:");
    memory.available = total && available ? left(*total << 10, *available << 10)
                                          : std::numeric_limits<std::uint64_t>::max();
    memory.limited_by = "the host";
    for (auto group = own_group(root);; group = group.substr(0, group.rfind('/'))) {
        const auto directory = root + "/sys/fs/cgroup" + group + "/";
        const auto limit = number(directory + "memory.max");
        const auto used = number(directory + "memory.current");
        if (limit && used) {
            // Pages of files that nobody looked at lately are given up before anybody suffers.
            const auto idle = field(directory + "memory.stat", "inactive_file").value_or(0);
            const auto needed = *used > idle ? *used - idle : 0;
            const auto here = left(*limit, *limit > needed ? *limit - needed : 0);
            if (here < memory.available)
                memory = {here, fmt::format("control group {}", group.empty() ? "/" : group)};
        }
        if (group.empty() || group == "/") break;
    }
    return memory;
}

Status check_memory(std::uint64_t bytes, const std::string& root) {
    const auto memory = host_memory(root);
    if (bytes <= memory.available) return {};
    return fail(ErrorCode::no_space,
                fmt::format("{} has {} of memory left, {} were asked for", memory.limited_by,
                            format_size(memory.available), format_size(bytes)),
                "deallocate or clean up regions, or end what else uses memory");
}

}  // namespace snakepit::shm
