// SPDX-License-Identifier: MIT
// Queries one mapping of a process by an ioctl on /proc/<pid>/maps: much cheaper than the text,
// because the kernel does not format unused paths.
#pragma once

#include <sys/ioctl.h>

#include <cstdint>

namespace snakepit::shm::survey {

// struct procmap_query of the kernel's include/uapi/linux/fs.h, since Linux 6.11; distribution
// headers are often older than the running kernel.
struct MapQuery {
    std::uint64_t size = sizeof(MapQuery);
    std::uint64_t flags = 0;
    std::uint64_t address = 0;
    // Answers.
    std::uint64_t begin = 0, end = 0;
    std::uint64_t permissions = 0, page_size = 0;
    std::uint64_t offset = 0, inode = 0;
    std::uint32_t device_major = 0, device_minor = 0;
    // In: room for the path, 0 for none; out: its length with the zero at the end.
    std::uint32_t path_size = 0;
    std::uint32_t build_id_size = 0;
    std::uint64_t path_address = 0;
    std::uint64_t build_id_address = 0;
};
static_assert(sizeof(MapQuery) == 104);

inline constexpr std::uint64_t kCoveringOrNext = 0x10;  // PROCMAP_QUERY_COVERING_OR_NEXT_VMA
inline constexpr std::uint64_t kOfFiles = 0x20;         // PROCMAP_QUERY_FILE_BACKED_VMA

// False with errno: ENOENT if there is none, ESRCH if the process ended or has no memory, ENOTTY if
// the ioctl is not supported.
inline bool query_map(int maps, MapQuery& query) {
    return ::ioctl(maps, _IOWR('f', 17, MapQuery), &query) == 0;  // PROCMAP_QUERY
}

}  // namespace snakepit::shm::survey
