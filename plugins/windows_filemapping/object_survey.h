// SPDX-License-Identifier: MIT
// What the system's object manager says about sections.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/windows/native.h"

namespace snakepit::shm {

// Names of the sections in the directory of this session, or of all sessions.
Result<std::vector<std::wstring>> section_names(bool global);

// Handles that all processes have to this object.
Result<std::uint32_t> handle_count(HANDLE object);

// The processes with a handle to the same object as `section`, without those that do not
// let this one inspect their handles.
Result<std::vector<std::int64_t>> processes_with(HANDLE section);

}  // namespace snakepit::shm
