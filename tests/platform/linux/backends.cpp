// SPDX-License-Identifier: MIT
#include "conformance.h"
#include "in_memory/in_memory_backend.h"
#include "linux_posix/linux_posix_backend.h"

namespace snakepit::shm::conformance {

Result<std::unique_ptr<PlatformBackend>> make_backend(std::string_view name) {
    if (name == "linux_posix") return LinuxPosixBackend::create({});
    auto backend = InMemoryBackend::create({});
    // Its processes are simulated: this one is all there is.
    if (backend) {
        auto& simulated = static_cast<InMemoryBackend&>(**backend);
        if (const auto own = inspect_process(own_pid())) simulated.processes[own_pid()] = *own;
    }
    return backend;
}

std::vector<std::string> backend_names() {
    return {"in_memory", "linux_posix"};
}

}  // namespace snakepit::shm::conformance
