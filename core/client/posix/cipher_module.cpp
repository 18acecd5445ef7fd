// SPDX-License-Identifier: MIT
#include "client/cipher_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

constexpr const char* kFile = "libsnakepit_shm_crypto.so";

// Any address of ours: tells which file this code was loaded from.
void here() {}

// Nothing but our own directories and the system's: a module that anybody could put somewhere is
// not to be trusted with keys.
std::vector<std::string> candidates() {
    std::vector<std::string> out;
    Dl_info info{};
    if (::dladdr(reinterpret_cast<const void*>(&here), &info) != 0 && info.dli_fname) {
        std::error_code problem;
        const auto self = std::filesystem::canonical(info.dli_fname, problem);
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
        // NODELETE: threads may be in it until the process is gone.
        void* const module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        void* const entry = module ? ::dlsym(module, kCipherEntry) : nullptr;
        auto* const engine = entry ? reinterpret_cast<CipherEntry>(entry)(kCipherAbi) : nullptr;
        if (engine) return engine;
        const char* failure = entry ? nullptr : ::dlerror();
        const auto why = failure ? std::string(failure) : file + " is of another release";
        reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", why);
    }
    return fail(
        ErrorCode::not_supported,
        fmt::format("the module for encrypted regions cannot be loaded: {}", reasons),
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
