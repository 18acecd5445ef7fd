// SPDX-License-Identifier: MIT
#pragma once

#include <sys/stat.h>

#include <string>
#include <utility>

#include "platform/backend.h"

namespace snakepit::shm {

// What the system says of a segment's file.
inline SegmentInfo describe(std::string name, const struct stat& info) {
    return {
        std::move(name),
        static_cast<std::uint64_t>(info.st_size),
        static_cast<std::uint64_t>(info.st_blocks) * 512,
        {info.st_dev, info.st_ino},
        info.st_uid,
        info.st_mode & 07777U,
        {static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000 + info.st_mtim.tv_nsec / 1000}};
}

}  // namespace snakepit::shm
