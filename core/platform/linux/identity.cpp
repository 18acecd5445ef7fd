// SPDX-License-Identifier: MIT
#include "platform/identity.h"

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
    // `process` is invalid if the process cannot be held.
    static Result<std::shared_ptr<KernelIdentity>> of(std::int64_t pid, Handle process) {
        auto identity = std::make_shared<KernelIdentity>();
        identity->process_ = std::move(process);
        if (!identity->process_) return identity;
        const auto info = inspect_process(identity->process_, pid);
        if ((info && info->zombie) || !identity->same())
            return fail(ErrorCode::identity_mismatch, fmt::format("process {} is gone", pid));
        if (info) {
            identity->start_ = info->start_time;
            identity->name_ = info->name;
        }
        identity->number_ = process_number(identity->process_);
        identity->other_ids_ = snakepit::shm::other_ids(identity->process_);
        identity->at_first_ = identity->read_program();
        return identity;
    }

    std::int64_t start_time() const override { return start_; }
    std::uint64_t number() const override { return number_; }
    const std::string& name() const override { return name_; }
    const std::optional<OtherIds>& other_ids() const override { return other_ids_; }
    const std::vector<std::uint32_t>& groups() const override { return groups_; }
    void set_groups(std::vector<std::uint32_t> groups) {
        std::erase_if(groups, group_stands_for_strangers);
        groups_ = std::move(groups);
    }

    std::optional<Executable> program() const override {
        if (!at_first_) return std::nullopt;
        auto now = read_program();
        return now == at_first_ ? now : std::nullopt;
    }

    bool same() const override { return !process_ || !has_exited(process_); }
    Handle watch() const override { return process_ ? process_.duplicate() : Handle(); }

    std::optional<Executable> read_program() const {
        const auto directory = process_ ? process_directory(process_) : std::string();
        if (directory.empty()) return std::nullopt;
        const auto link = directory + "/exe";
        std::array<char, PATH_MAX> path;
        struct stat file {};
        const auto size = ::readlink(link.c_str(), path.data(), path.size());
        // Refers to the running file, whatever its path refers to now.
        if (size <= 0 || ::stat(link.c_str(), &file) != 0 || !same()) return std::nullopt;
        return Executable{{path.data(), static_cast<std::size_t>(size)},
                          {file.st_dev, file.st_ino}};
    }

  private:
    Handle process_;
    std::int64_t start_ = 0;
    std::uint64_t number_ = 0;
    std::string name_;
    std::optional<OtherIds> other_ids_;
    std::vector<std::uint32_t> groups_;
    std::optional<Executable> at_first_;
};

// On older kernels, by pid, which may have been reused (see identify_peer); invalid without a pid.
Result<Handle> peer_process(const Handle& socket, std::int64_t pid) {
    int process = -1;
    socklen_t size = sizeof process;
    if (::getsockopt(socket.get(), SOL_SOCKET, kPeerPidfd, &process, &size) == 0)
        return Handle(process);
    if (errno == ENOPROTOOPT) return pid != 0 ? watch_process(pid) : Handle();
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        return fail(system_error(errno, "cannot open a descriptor of the connected process"));
    return fail(ErrorCode::identity_mismatch, "the connected process has exited");
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
            return fail(
                system_error(errno, "cannot determine the groups of the connected process"));
        groups.resize(size / sizeof(gid_t));
    }
}

std::vector<std::uint32_t> groups_in_proc(const std::string& directory) {
    std::ifstream status(directory + "/status");
    constexpr std::string_view kKey = "Groups:";
    std::vector<std::uint32_t> out;
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with(kKey)) continue;
        std::istringstream numbers(line.substr(kKey.size()));
        for (std::uint32_t group = 0; numbers >> group;) out.push_back(group);
    }
    return out;
}

// The overflow id for ids without a mapping in our user namespace; empty if all have one. It stands
// for these ids even if a real user has the same number.
std::optional<std::uint32_t> ambiguous_id(const char* overflow, const char* map) {
    constexpr std::uint64_t kAll = 0xFFFFFFFFU;  // the last number is not a valid id
    std::ifstream extents(fmt::format("/proc/self/{}", map));
    std::uint64_t mapped = 0;
    for (std::uint64_t inside = 0, outside = 0, count = 0; extents >> inside >> outside >> count;)
        mapped += count;
    if (mapped >= kAll) return std::nullopt;
    std::uint32_t number = 65534;
    std::ifstream(fmt::format("/proc/sys/kernel/{}", overflow)) >> number;
    return number;
}

}  // namespace

Result<std::shared_ptr<const Identity>> identify_peer(const Handle& socket,
                                                      const Credentials& who) {
    SHM_ASSIGN(auto process, peer_process(socket, who.pid));
    SHM_ASSIGN(auto groups, peer_groups(socket));
    SHM_ASSIGN(auto identity, KernelIdentity::of(who.pid, std::move(process)));
    identity->set_groups(std::move(groups));
    return identity;
}

Result<std::shared_ptr<const Identity>> identify_process(std::int64_t pid,
                                                         std::int64_t start_time) {
    SHM_ASSIGN(auto process, watch_process(pid));
    const auto directory = process_directory(process);
    SHM_ASSIGN(auto identity, KernelIdentity::of(pid, std::move(process)));
    auto groups = directory.empty() ? std::vector<std::uint32_t>() : groups_in_proc(directory);
    if ((start_time != 0 && identity->start_time() != start_time) || !identity->same())
        return fail(ErrorCode::identity_mismatch, fmt::format("process {} is gone", pid));
    identity->set_groups(std::move(groups));
    return identity;
}

bool stands_for_strangers(std::uint32_t uid) {
    static const auto number = ambiguous_id("overflowuid", "uid_map");
    return uid == number;
}

bool group_stands_for_strangers(std::uint32_t gid) {
    static const auto number = ambiguous_id("overflowgid", "gid_map");
    return gid == number;
}

std::optional<Executable> executable_at(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                           &std::free);
    struct stat file {};
    if (!real || ::stat(real.get(), &file) != 0 || !S_ISREG(file.st_mode)) return std::nullopt;
    return Executable{real.get(), {file.st_dev, file.st_ino}};
}

}  // namespace snakepit::shm
