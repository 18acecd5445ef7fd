// SPDX-License-Identifier: MIT
#include "survey/linux/tree/own_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

int write_text(const std::string& path, std::string_view text) {
    const Handle file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return errno;
    return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())
               ? 0
               : errno;
}

// Lines "inside outside count": all known ids, mapped to themselves.
std::string everybody(const char* own_map) {
    const auto text = read_file(AT_FDCWD, own_map).value_or("");
    std::string out;
    std::string_view rest(text);
    while (!rest.empty()) {
        auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto inside = take_number(line);
        (void)take_number(line);
        out += fmt::format("{0} {0} {1}\n", inside, take_number(line));
    }
    return out;
}

}  // namespace

int leave_namespaces() {
    return ::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) == 0 ? 0 : errno;
}

int mount_own_shm() {
    struct statvfs host {};
    if (::statvfs(kSharedMemory, &host) != 0) return errno;
    auto options = fmt::format("mode=1777,size={}", host.f_blocks * host.f_frsize);
    if (host.f_files > 0) options += fmt::format(",nr_inodes={}", host.f_files);
    const unsigned long no_exec = (host.f_flag & ST_NOEXEC) != 0 ? MS_NOEXEC : 0;
    return ::mount("tmpfs", kSharedMemory, "tmpfs", MS_NOSUID | MS_NODEV | no_exec,
                   options.c_str()) == 0
               ? 0
               : errno;
}

Error cannot_isolate(int error) {
    auto out = system_error(error, "cannot create namespaces for the command");
    out.remedy =
        "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns; in a container its seccomp profile), or run "
        "without --isolate";
    return out;
}

Status map_users(std::int64_t pid) {
    const auto file = [pid](const char* name) { return fmt::format("/proc/{}/{}", pid, name); };
    if (write_text(file("uid_map"), everybody("/proc/self/uid_map")) == 0 &&
        write_text(file("gid_map"), everybody("/proc/self/gid_map")) == 0)
        return {};
    // Without privileges only our own user is mapped, and groups stay unchanged.
    (void)write_text(file("uid_map"), fmt::format("{0} {0} 1\n", ::geteuid()));
    (void)write_text(file("setgroups"), "deny");
    if (const int error = write_text(file("gid_map"), fmt::format("{0} {0} 1\n", ::getegid())))
        return fail(cannot_isolate(error));
    return {};
}

Result<OwnNamespaces> OwnNamespaces::of(std::int64_t pid) {
    OwnNamespaces out;
    const auto open = [pid](const char* name, int flags) {
        return Handle(::open(fmt::format("/proc/{}/{}", pid, name).c_str(), flags | O_CLOEXEC));
    };
    out.user_ = open("ns/user", O_RDONLY);
    out.mount_ = open("ns/mnt", O_RDONLY);
    out.ipc_ = open("ns/ipc", O_RDONLY);
    out.shm_ = open("root/dev/shm", O_RDONLY | O_DIRECTORY);
    if (!out.user_ || !out.mount_ || !out.ipc_ || !out.shm_) return fail(cannot_isolate(errno));
    // A link could lead out of the namespace.
    struct stat inside {
    }, host{};
    if (::fstat(out.shm_.get(), &inside) != 0 || ::stat(kSharedMemory, &host) != 0 ||
        inside.st_dev == host.st_dev)
        return fail(cannot_isolate(EXDEV));
    return out;
}

Status OwnNamespaces::enter() const {
    if (::setns(user_.get(), CLONE_NEWUSER) != 0 || ::setns(ipc_.get(), CLONE_NEWIPC) != 0 ||
        ::setns(mount_.get(), CLONE_NEWNS) != 0)
        return fail(system_error(errno, "cannot access the command's namespaces"));
    return {};
}

}  // namespace snakepit::shm::survey
