// SPDX-License-Identifier: MIT
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string_view>

#include "base/time.h"

namespace snakepit::shm {

namespace {

// The boot time offset of this process's time namespace, so that programs in different namespaces
// can compare their readings. The file describes the namespace of children; a program that created
// one without entering it counts as being in the initial namespace.
std::int64_t boot_offset() {
    std::error_code unknown;
    const auto own = std::filesystem::read_symlink("/proc/self/ns/time", unknown);
    const auto children = std::filesystem::read_symlink("/proc/self/ns/time_for_children", unknown);
    if (unknown || own != children) return 0;
    std::FILE* file = std::fopen("/proc/self/timens_offsets", "re");
    if (!file) return 0;
    long long seconds = 0, nanos = 0, offset = 0;
    char clock[16];
    while (std::fscanf(file, "%15s %lld %lld", clock, &seconds, &nanos) == 3)
        if (std::string_view(clock) == "boottime") offset = seconds * 1'000'000 + nanos / 1000;
    (void)std::fclose(file);
    return offset;
}

}  // namespace

std::int64_t boot_micros() {
    static const auto offset = boot_offset();
    timespec ts{};
    ::clock_gettime(CLOCK_BOOTTIME, &ts);
    return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000 + ts.tv_nsec / 1000 - offset;
}

}  // namespace snakepit::shm
