// SPDX-License-Identifier: MIT
#include "manager/instance_roster.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "layout/registry_reader.h"

namespace snakepit::shm {

namespace {

std::string entry_name(const InstancePaths& paths) {
    return fmt::format(".snakepit_{}@{:016x}", paths.instance,
                       std::hash<std::string>{}(paths.runtime_dir));
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

}  // namespace

Status InstanceRoster::enter(const std::string& shm_path, const InstancePaths& paths) {
    const auto path = shm_path + "/" + entry_name(paths);
    // Left alone when it is right, so that a full file system keeps no manager from coming back;
    // moved into place when not, so that another manager never reads half of it.
    if (first_line(path) == paths.registry()) return {};
    const auto temporary = path + ".new";
    ::unlink(temporary.c_str());
    const Handle file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    const auto text = paths.registry() + "\n";
    if (!file ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::rename(temporary.c_str(), path.c_str()) != 0) {
        auto error = system_error(errno, fmt::format("cannot write {}", path));
        ::unlink(temporary.c_str());
        return fail(std::move(error));
    }
    return {};
}

InstanceRoster InstanceRoster::read(const std::string& shm_path, const InstancePaths& paths) {
    InstanceRoster roster;
    const auto prefix = fmt::format(".snakepit_{}@", paths.instance);
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(shm_path, ignored)) {
        const auto name = entry.path().filename().string();
        struct stat info {};
        if (!name.starts_with(prefix) || name.ends_with(".new") || name == entry_name(paths))
            continue;
        if (::lstat(entry.path().c_str(), &info) != 0 || info.st_uid != ::geteuid()) continue;
        auto reader = RegistryReader::open(first_line(entry.path()));
        if (reader) {
            roster.epochs_.insert(static_cast<std::uint32_t>(reader->epoch()));
            for (const auto& row : reader->poll().changed) roster.known_.insert(row.info.id);
        } else if (reader.error().code == ErrorCode::no_manager) {
            std::filesystem::remove(entry.path(), ignored);
        } else {
            roster.unreadable_ = true;
        }
    }
    return roster;
}

}  // namespace snakepit::shm
