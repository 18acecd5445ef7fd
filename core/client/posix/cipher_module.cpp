// SPDX-License-Identifier: MIT
#include "client/cipher_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "platform/process.h"

namespace snakepit::shm {

namespace {

constexpr const char* kFile = "libsnakepit_shm_crypto.so";

// Any address in this library, to find the file it was loaded from.
void here() {}

// Only our own directories and the system's: modules from other places must not be trusted with
// keys.
std::vector<std::string> candidates() {
    std::vector<std::string> out;
    if (const auto file = file_of_code(reinterpret_cast<const void*>(&here)); !file.empty()) {
        std::error_code problem;
        const auto self = std::filesystem::canonical(file, problem);
        const auto beside = self.parent_path();
        if (!problem)
            for (const auto& directory :
                 {beside, beside / ".." / "lib", beside / SNAKEPIT_SHM_LIBDIR_FROM_BINDIR})
                if (std::filesystem::exists(directory / kFile, problem))
                    out.push_back((directory / kFile).string());
    }
    out.emplace_back(kFile);
    return out;
}

Result<CipherEngine*> load() {
    std::string reasons;
    for (const auto& file : candidates()) {
        // NODELETE: threads may use it until the process ends.
        void* const module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        void* const entry = module ? ::dlsym(module, kCipherEntry) : nullptr;
        auto* const engine = entry ? reinterpret_cast<CipherEntry>(entry)(kCipherAbi) : nullptr;
        if (engine) return engine;
        const char* failure = entry ? nullptr : ::dlerror();
        const auto why = failure ? std::string(failure) : file + " belongs to another release";
        reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", why);
    }
    return fail(
        ErrorCode::not_supported, fmt::format("cannot load the encryption module: {}", reasons),
        fmt::format("install {} of the library's own release beside it, and libcrypto 3", kFile));
}

}  // namespace

Result<CipherEngine*> cipher_engine() {
    static std::mutex mutex;
    static CipherEngine* engine = nullptr;
    const std::lock_guard held(mutex);
    if (!engine) {
        SHM_ASSIGN(engine, load());
    }
    return engine;
}

}  // namespace snakepit::shm
