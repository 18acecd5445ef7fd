// SPDX-License-Identifier: MIT
#include "platform/identity.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "platform/process.h"

namespace snakepit::shm {

namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, Linux 6.5; the C library's headers are older

class KernelIdentity final : public Identity {
  public:
    static Result<std::shared_ptr<KernelIdentity>> of(std::int64_t pid, Handle process) {
        SHM_ASSIGN(const auto info, inspect_process(pid));
        auto identity = std::make_shared<KernelIdentity>();
        identity->pid_ = pid;
        identity->start_ = info.start_time;
        identity->process_ = std::move(process);
        if (info.zombie || !identity->same())
            return fail(ErrorCode::identity_mismatch, fmt::format("process {} is gone", pid));
        identity->at_first_ = identity->read_program();
        return identity;
    }

    std::int64_t start_time() const override { return start_; }
    const std::vector<std::uint32_t>& groups() const override { return groups_; }
    void set_groups(std::vector<std::uint32_t> groups) { groups_ = std::move(groups); }

    std::optional<Executable> program() const override {
        if (!at_first_) return std::nullopt;
        auto now = read_program();
        return now == at_first_ ? now : std::nullopt;
    }

    bool same() const override {
        pollfd exited{process_.get(), POLLIN, 0};
        if (::poll(&exited, 1, 0) != 0) return false;
        const auto info = inspect_process(pid_);
        return info && info->start_time == start_;
    }

    std::optional<Executable> read_program() const {
        const auto link = fmt::format("/proc/{}/exe", pid_);
        std::array<char, PATH_MAX> path;
        struct stat file {};
        const auto size = ::readlink(link.c_str(), path.data(), path.size());
        // Follows to the file that runs, whatever stands under its path by now.
        if (size <= 0 || ::stat(link.c_str(), &file) != 0 || !same()) return std::nullopt;
        return Executable{{path.data(), static_cast<std::size_t>(size)},
                          {file.st_dev, file.st_ino}};
    }

  private:
    std::int64_t pid_ = 0, start_ = 0;
    Handle process_;
    std::vector<std::uint32_t> groups_;
    std::optional<Executable> at_first_;
};

// Nothing on kernels that do not have it.
Handle peer_process(const Handle& socket) {
    int process = -1;
    socklen_t size = sizeof process;
    if (::getsockopt(socket.get(), SOL_SOCKET, kPeerPidfd, &process, &size) != 0) return {};
    return Handle(process);
}

Result<std::vector<std::uint32_t>> peer_groups(const Handle& socket) {
    std::vector<gid_t> groups(64);
    for (;;) {
        auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
            groups.resize(size / sizeof(gid_t));
            return std::vector<std::uint32_t>(groups.begin(), groups.end());
        }
        if (errno != ERANGE)
            return fail(system_error(errno, "cannot tell the groups of who connected"));
        groups.resize(size / sizeof(gid_t));
    }
}

std::vector<std::uint32_t> groups_in_proc(std::int64_t pid) {
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    constexpr std::string_view kKey = "Groups:";
    std::vector<std::uint32_t> out;
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with(kKey)) continue;
        std::istringstream numbers(line.substr(kKey.size()));
        for (std::uint32_t group = 0; numbers >> group;) out.push_back(group);
    }
    return out;
}

}  // namespace

Result<std::shared_ptr<const Identity>> identify_peer(const Handle& socket,
                                                      const Credentials& who) {
    auto process = peer_process(socket);
    if (!process) {
        SHM_ASSIGN(process, watch_process(who.pid));
    }
    SHM_ASSIGN(auto groups, peer_groups(socket));
    SHM_ASSIGN(auto identity, KernelIdentity::of(who.pid, std::move(process)));
    identity->set_groups(std::move(groups));
    return identity;
}

Result<std::shared_ptr<const Identity>> identify_process(std::int64_t pid,
                                                         std::int64_t start_time) {
    SHM_ASSIGN(auto process, watch_process(pid));
    SHM_ASSIGN(auto identity, KernelIdentity::of(pid, std::move(process)));
    auto groups = groups_in_proc(pid);
    if ((start_time != 0 && identity->start_time() != start_time) || !identity->same())
        return fail(ErrorCode::identity_mismatch, fmt::format("process {} is gone", pid));
    identity->set_groups(std::move(groups));
    return identity;
}

std::optional<Executable> executable_at(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                           &std::free);
    struct stat file {};
    if (!real || ::stat(real.get(), &file) != 0 || !S_ISREG(file.st_mode)) return std::nullopt;
    return Executable{real.get(), {file.st_dev, file.st_ino}};
}

}  // namespace snakepit::shm
