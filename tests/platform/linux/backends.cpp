// SPDX-License-Identifier: MIT
#include <filesystem>

#include "conformance.h"
#include "in_memory/in_memory_backend.h"
#include "linux_posix/linux_posix_backend.h"
#include "macos_mach/macos_mach_backend.h"
#include "simulated_mach.h"

namespace snakepit::shm::conformance {

Result<std::unique_ptr<PlatformBackend>> make_backend(std::string_view name) {
    if (name == "linux_posix") return LinuxPosixBackend::create({});
    if (name == "macos_mach_simulated") {
        BackendOptions options;
        options.shm_path = std::filesystem::temp_directory_path() / "snakepit-conformance-records";
        return MacosMachBackend::create(options, simulated_mach());
    }
    auto backend = InMemoryBackend::create({});
    // Its processes are simulated: this one is all there is.
    if (backend) {
        auto& simulated = static_cast<InMemoryBackend&>(**backend);
        if (const auto own = inspect_process(own_pid())) simulated.processes[own_pid()] = *own;
    }
    return backend;
}

std::vector<std::string> backend_names() {
    return {"in_memory", "linux_posix", "macos_mach_simulated"};
}

}  // namespace snakepit::shm::conformance
