// SPDX-License-Identifier: MIT
#include "host_facts.h"

#include <linux/magic.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace snakepit::shm::cli {

Result<DirectoryFacts> directory_facts(const std::string& path) {
    DirectoryFacts facts;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return facts;
        return fail(system_error(errno, "cannot look at " + path));
    }
    facts.exists = true;
    facts.is_directory = S_ISDIR(status.st_mode);
    facts.ours = status.st_uid == ::geteuid();
    facts.mode = status.st_mode & 07777U;
    struct statfs system {};
    if (::statfs(path.c_str(), &system) == 0)
        facts.in_memory = system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
    return facts;
}

Result<SpaceFacts> space_facts(const std::string& path) {
    struct statvfs space {};
    if (::statvfs(path.c_str(), &space) != 0)
        return fail(system_error(errno, "cannot look at " + path));
    return SpaceFacts{std::uint64_t{space.f_blocks} * space.f_frsize,
                      std::uint64_t{space.f_bavail} * space.f_frsize,
                      ::access(path.c_str(), W_OK | X_OK) == 0};
}

std::vector<FileFacts> files_with_prefix(const std::string& directory, const std::string& prefix) {
    std::vector<FileFacts> out;
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
        auto name = it->path().filename().string();
        std::error_code gone;
        const auto bytes = it->file_size(gone);
        if (name.starts_with(prefix) && !gone) out.push_back({std::move(name), bytes});
    }
    return out;
}

namespace {

constexpr uid_t kFirstPerson = 1000;  // systemd-logind leaves the system's own users alone

// RemoveIPC= of systemd-logind, the last one said; yes if none is.
bool remove_ipc() {
    std::vector<std::filesystem::path> files{"/etc/systemd/logind.conf"};
    std::error_code error;
    for (const auto* directory : {"/usr/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d",
                                  "/etc/systemd/logind.conf.d"})
        for (const auto& entry : std::filesystem::directory_iterator(directory, error))
            files.push_back(entry.path());
    bool removes = true;
    for (const auto& path : files) {
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);)
            if (line.starts_with("RemoveIPC="))
                removes = !line.ends_with("no") && !line.ends_with("false") && !line.ends_with("0");
    }
    return removes;
}

}  // namespace

bool logout_removes_segments(const std::string& shm_path) {
    std::error_code error;
    const auto* user = ::getpwuid(::geteuid());
    const bool lingers =
        user &&
        std::filesystem::exists(std::string("/var/lib/systemd/linger/") + user->pw_name, error);
    return ::geteuid() >= kFirstPerson && shm_path.starts_with("/dev/shm") && !lingers &&
           std::filesystem::exists("/run/systemd/seats", error) && remove_ipc();
}

Limits process_limits() {
    Limits limits;
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) limits.descriptors = descriptors.rlim_max;
    std::ifstream file("/proc/sys/vm/max_map_count");
    if (std::uint64_t count = 0; file >> count) limits.mappings = count;
    return limits;
}

}  // namespace snakepit::shm::cli
