// SPDX-License-Identifier: MIT
// For system errors with several possible causes: determines which limit was reached, and the
// remedy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/handle.h"

namespace snakepit::shm {

// Like system_error(), for a file that could not be created, resized or written. For ENOSPC it
// reports whether bytes or inodes are exhausted; for ENOMEM that pages are not available. `path`:
// the file; if it does not exist, its directory is checked.
Error file_error(int number, std::string_view what, const std::string& path,
                 ErrorCode fallback = ErrorCode::platform_error);
Error file_error(int number, std::string_view what, const Handle& file,
                 ErrorCode fallback = ErrorCode::platform_error);

// For memory that could not be mapped. For ENOMEM it reports whether this process has too many
// mappings or too little address space; for EAGAIN that the limit on locked memory is reached.
Error mapping_error(int number, std::string_view what, std::uint64_t size);

// For a program or thread that could not be started.
Error process_error(int number, std::string_view what);

}  // namespace snakepit::shm
