// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "layout/registry_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// Opens a file of the manager that belongs to one registry. If it does not begin with `header` it
// is recreated, because the data of another registry is meaningless. The first `reserved` bytes are
// backed by memory; in a new file they are zero except for the header.
Result<MappedFile> open_epoch_file(const std::string& path, const layout::EpochHeader& header,
                                   FileSizes sizes);

}  // namespace snakepit::shm
