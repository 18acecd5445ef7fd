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
#include <array>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

namespace snakepit::shm {

Result<DirectoryFacts> directory_facts(const std::string& path) {
    DirectoryFacts facts;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return facts;
        return fail(system_error(errno, "cannot stat " + path));
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
        return fail(system_error(errno, "cannot read the free space of " + path));
    return SpaceFacts{std::uint64_t{space.f_blocks} * space.f_frsize,
                      std::uint64_t{space.f_bavail} * space.f_frsize,
                      ::access(path.c_str(), W_OK | X_OK) == 0, space.f_files, space.f_favail};
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
// Directories of systemd's settings; the later ones come first.
constexpr std::array kSettings{"/usr/lib/systemd/", "/usr/local/lib/systemd/", "/run/systemd/",
                               "/etc/systemd/"};

// The words that systemd reads as a truth value; others are ignored.
std::optional<bool> truth(std::string text) {
    constexpr std::array yes{"1", "yes", "y", "true", "t", "on"};
    constexpr std::array no{"0", "no", "n", "false", "f", "off"};
    for (auto& letter : text)
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    if (std::find(yes.begin(), yes.end(), text) != yes.end()) return true;
    if (std::find(no.begin(), no.end(), text) != no.end()) return false;
    return std::nullopt;
}

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The last setting, if there is one.
void read_remove_ipc(const std::string& path, bool& removes) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto equals = line.find('=');
        if (equals == std::string::npos || trimmed(line.substr(0, equals)) != "RemoveIPC") continue;
        const auto value = trimmed(line.substr(equals + 1));
        removes = truth(value).value_or(value.empty() || removes);  // empty: reset to the default
    }
}

}  // namespace

// The main file of the first directory that has one, then all the others by their own names, each
// from the first directory that has it.
bool logind_removes_ipc(const std::string& root) {
    std::string main_file;
    std::map<std::string, std::string> more;
    std::error_code error;
    for (const std::string directory : kSettings) {
        const auto file = root + directory + "logind.conf";
        if (std::filesystem::exists(file, error)) main_file = file;
        for (std::filesystem::directory_iterator it(file + ".d", error), end; !error && it != end;
             it.increment(error))
            if (it->path().extension() == ".conf")
                more.insert_or_assign(it->path().filename().string(), it->path().string());
    }
    bool removes = true;
    read_remove_ipc(main_file, removes);
    for (const auto& [name, path] : more) read_remove_ipc(path, removes);
    return removes;
}

bool logout_removes_segments(const std::string& shm_path) {
    std::error_code error;
    const auto* user = ::getpwuid(::geteuid());
    const bool lingers =
        user &&
        std::filesystem::exists(std::string("/var/lib/systemd/linger/") + user->pw_name, error);
    return ::geteuid() >= kFirstPerson && shm_path.starts_with("/dev/shm") && !lingers &&
           std::filesystem::exists("/run/systemd/seats", error) && logind_removes_ipc();
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

// The value of `key` in a file of lines, without quotes. Empty: not set.
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
        // Of several mounts on one point the last one is visible.
        if (above(mount.point, path) && (!out || mount.point.size() >= out->point.size()))
            out = mount;
    }
    return out;
}

}  // namespace snakepit::shm
