// SPDX-License-Identifier: MIT
#include "diagnostics/host_facts.h"

#include <linux/magic.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace snakepit::shm {

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

std::optional<FileFacts> file_facts(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return FileFacts{path.substr(path.rfind('/') + 1),
                     static_cast<std::uint64_t>(status.st_size),
                     status.st_uid,
                     status.st_mode & 07777U,
                     S_ISREG(status.st_mode),
                     {status.st_dev, status.st_ino}};
}

std::vector<FileFacts> files_with_prefix(const std::string& directory, const std::string& prefix) {
    std::vector<FileFacts> out;
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
        if (!it->path().filename().string().starts_with(prefix)) continue;
        if (auto facts = file_facts(it->path().string())) out.push_back(std::move(*facts));
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
    rlimit locked{};
    if (::getrlimit(RLIMIT_MEMLOCK, &locked) == 0) limits.locked_memory = locked.rlim_max;
    return limits;
}

namespace {

// The value behind `key` in a file of lines; quotes are no part of it. Empty: there is none.
std::string value_in(const char* path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) continue;
        auto value = line.substr(key.size());
        std::erase(value, '"');
        return value;
    }
    return {};
}

std::uint64_t memory(const std::string& key) {
    return std::strtoull(value_in("/proc/meminfo", key).c_str(), nullptr, 10) * 1024;
}

// A mount point is `path` or above it.
bool above(const std::string& point, const std::string& path) {
    return point == "/" || path == point || path.starts_with(point + "/");
}

}  // namespace

HostFacts host_facts() {
    HostFacts out;
    utsname system{};
    if (::uname(&system) == 0) {
        out.name = system.nodename;
        out.kernel = std::string(system.sysname) + " " + system.release;
        out.architecture = system.machine;
    }
    out.distribution = value_in("/etc/os-release", "PRETTY_NAME=");
    out.processors = std::thread::hardware_concurrency();
    out.memory_total = memory("MemTotal:");
    out.memory_available = memory("MemAvailable:");
    struct sysinfo info {};
    if (::sysinfo(&info) == 0) out.up_seconds = info.uptime;
    out.user = ::geteuid();
    return out;
}

std::optional<MountFacts> mount_of(const std::string& path) {
    std::optional<MountFacts> out;
    std::ifstream file("/proc/self/mounts");
    for (std::string line; std::getline(file, line);) {
        MountFacts mount;
        std::string device;
        std::istringstream(line) >> device >> mount.point >> mount.type >> mount.options;
        // The last of several on one point is the one that is seen.
        if (above(mount.point, path) && (!out || mount.point.size() >= out->point.size()))
            out = mount;
    }
    return out;
}

}  // namespace snakepit::shm
