// SPDX-License-Identifier: MIT
#include "conformance.h"
#include "macos_mach/macos_mach_backend.h"

namespace snakepit::shm::conformance {

Result<std::unique_ptr<PlatformBackend>> make_backend(std::string_view) {
    return MacosMachBackend::create({});
}

std::vector<std::string> backend_names() {
    return {"macos_mach"};
}

}  // namespace snakepit::shm::conformance
