// SPDX-License-Identifier: MIT
// Starting our own programs from a library or a program.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "platform/process.h"

extern char** environ;

#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

// A name for the search path stays unchanged.
std::string absolute(const std::string& program) {
    std::error_code unknown;
    if (program.find('/') == std::string::npos) return program;
    const auto path = std::filesystem::absolute(program, unknown);
    return unknown ? program : path.string();
}

// Our environment, with absolute paths, for a program that starts in another directory.
std::vector<std::string> environment_anywhere() {
    constexpr std::array kPaths{"SNAKEPIT_SHM_RUNTIME_DIR", "SNAKEPIT_SHM_STATE_DIR",
                                "SNAKEPIT_SHM_CONFIG",      "SNAKEPIT_SHM_PLUGIN_DIR",
                                "XDG_RUNTIME_DIR",          "XDG_STATE_HOME",
                                "XDG_CONFIG_HOME",          "HOME"};
    std::vector<std::string> out;
    for (char** variable = environ; *variable; ++variable) {
        std::string text(*variable);
        const auto name = text.substr(0, text.find('='));
        const auto value = text.size() > name.size() ? text.substr(name.size() + 1) : "";
        std::error_code unknown;
        if (!value.empty() && std::find(kPaths.begin(), kPaths.end(), name) != kPaths.end())
            if (const auto path = std::filesystem::absolute(value, unknown); !unknown)
                text = name + "=" + path.string();
        out.push_back(std::move(text));
    }
    return out;
}

class Spawn {  // the arguments of posix_spawn
  public:
    Spawn() {
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawnattr_init(&attributes);
    }
    ~Spawn() {
        ::posix_spawn_file_actions_destroy(&files);
        ::posix_spawnattr_destroy(&attributes);
    }
    Spawn(const Spawn&) = delete;
    Spawn& operator=(const Spawn&) = delete;

    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
};

}  // namespace

// The linker has only the name the program was started with, or a library opened with, which may be
// relative to another directory or to PATH. The kernel has the path.
std::string file_of_code(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long long from = 0, to = 0;
        // The kernel wrote these numbers: they fit.
        // NOLINTNEXTLINE(cert-err34-c)
        if (std::sscanf(line.c_str(), "%llx-%llx", &from, &to) != 2) continue;
        const auto path = line.find('/');
        if (wanted >= from && wanted < to)
            return path == std::string::npos ? std::string() : line.substr(path);
    }
    return {};
}

std::string companion_program(std::string_view name) {
    std::vector<std::string> places;
    if (const auto library = file_of_code(reinterpret_cast<void*>(&companion_program));
        !library.empty())
        places.push_back(fmt::format("{}/../bin/{}", directory_of(library), name));
    places.push_back(fmt::format("{}/{}", directory_of(own_executable()), name));
    for (const auto& place : places)
        if (::access(place.c_str(), X_OK) == 0) return place;
    return std::string(name);
}

Result<std::int64_t> start_detached(const std::string& program,
                                    const std::vector<std::string>& words, const Handle& handle) {
    std::vector<std::string> own{absolute(program)};
    own.insert(own.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (auto& word : own) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    Spawn spawn;
    // Before the standard files, which could have the same number.
    int first_closed = kHandedDescriptor;
    if (handle) {
        ::posix_spawn_file_actions_adddup2(&spawn.files, handle.get(), kHandedDescriptor);
        ++first_closed;
    }
    for (int number = 0; number < 3; ++number)
        ::posix_spawn_file_actions_addopen(&spawn.files, number, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&spawn.files, first_closed);
    // So the caller's working directory can be removed or unmounted while the program runs.
    ::posix_spawn_file_actions_addchdir_np(&spawn.files, "/");
    auto variables = environment_anywhere();
    std::vector<char*> environment;
    for (auto& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&spawn.attributes, &none);
    ::posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    pid_t child = 0;
    const int failed = ::posix_spawnp(&child, own.front().c_str(), &spawn.files, &spawn.attributes,
                                      arguments.data(), environment.data());
    if (failed != 0) return fail(process_error(failed, fmt::format("cannot start {}", program)));
    return child;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace snakepit::shm
