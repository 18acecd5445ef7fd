// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "layout/registry_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// A file of the manager's own that belongs to one registry: opened if it begins with `header`, else
// begun again, for what another registry's said means nothing. The bytes of the least size can be
// touched, and of a new file are zero but for the header.
Result<MappedFile> open_epoch_file(const std::string& path, const layout::EpochHeader& header,
                                   FileSizes sizes);

}  // namespace snakepit::shm
