// SPDX-License-Identifier: MIT
#include "client/launch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <string>

#include <fmt/format.h>

extern char** environ;

namespace snakepit::shm {

namespace {

// Beside this library in a build or an installed tree, else wherever PATH has it.
std::string program() {
    Dl_info info{};
    if (::dladdr(reinterpret_cast<void*>(&launch_manager), &info) != 0 && info.dli_fname) {
        std::string path(info.dli_fname);
        path = path.substr(0, path.rfind('/')) + "/../bin/snakepit-shm";
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return "snakepit-shm";
}

}  // namespace

Status launch_manager(const std::string& instance) {
    auto path = program();
    std::string flag = "--instance", name = instance, word = "serve";
    char* arguments[] = {path.data(), flag.data(), name.data(), word.data(), nullptr};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    for (int number = 0; number < 3; ++number)
        ::posix_spawn_file_actions_addopen(&files, number, "/dev/null", O_RDWR, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    pid_t child = 0;
    const int failed =
        ::posix_spawnp(&child, path.c_str(), &files, &attributes, arguments, environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        return fail(
            system_error(failed, fmt::format("cannot start {}", path), ErrorCode::no_manager));
    return {};
}

}  // namespace snakepit::shm
