// SPDX-License-Identifier: MIT
#include "conformance.h"
#include "windows_filemapping/windows_filemapping_backend.h"

namespace snakepit::shm::conformance {

Result<std::unique_ptr<PlatformBackend>> make_backend(std::string_view) {
    return WindowsFilemappingBackend::create({});
}

std::vector<std::string> backend_names() {
    return {"windows_filemapping"};
}

}  // namespace snakepit::shm::conformance
