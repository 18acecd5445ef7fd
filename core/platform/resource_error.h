// SPDX-License-Identifier: MIT
// Errors of the system that stand for several limits: which one was met, and what helps there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/handle.h"

namespace snakepit::shm {

// As system_error(), for a file that could not be made, sized or written. Of ENOSPC it says whether
// the file system has no bytes or no inodes left, of ENOMEM that its pages could not be had.
// `path`: the file, which need not be there; its directory is looked at then.
Error file_error(int number, std::string_view what, const std::string& path,
                 ErrorCode fallback = ErrorCode::platform_error);
Error file_error(int number, std::string_view what, const Handle& file,
                 ErrorCode fallback = ErrorCode::platform_error);

// For memory that could not be mapped: of ENOMEM it says whether this process has too many
// mappings or too little address space, of EAGAIN that no more memory may be locked.
Error mapping_error(int number, std::string_view what, std::uint64_t size);

// For a program or thread that could not be started.
Error process_error(int number, std::string_view what);

}  // namespace snakepit::shm
