// SPDX-License-Identifier: MIT
// The protocol of sd_notify(3) and sd_listen_fds(3): a datagram socket, and inherited descriptors.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "platform/keeper.h"
#include "platform/linux/attach_descriptors.h"
#include "platform/service_notifier.h"

namespace snakepit::shm {

namespace {

constexpr int kFirstDescriptor = 3;
constexpr int kBarrierMs = 5000;
constexpr int kPatienceSeconds = 5;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::int64_t number(const char* name) {
    return std::strtoll(environment(name).c_str(), nullptr, 10);
}

// The address in NOTIFY_SOCKET: a path, or an abstract name after '@'.
struct NotifyAddress {
    sockaddr_un value{};
    socklen_t size = 0;

    explicit NotifyAddress(const std::string& text) {
        if (text.size() < 2 || text.size() >= sizeof value.sun_path) return;
        value.sun_family = AF_UNIX;
        std::memcpy(value.sun_path, text.data(), text.size());
        if (text.front() == '@') value.sun_path[0] = '\0';
        size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size());
    }
};

// The inherited descriptors; each is returned once per process.
std::vector<KeptDescriptor> take_descriptors() {
    static std::mutex mutex;
    static bool taken = false;
    const std::lock_guard lock(mutex);
    std::vector<KeptDescriptor> out;
    if (std::exchange(taken, true) || number("LISTEN_PID") != ::getpid()) return out;
    std::istringstream names(environment("LISTEN_FDNAMES"));
    const auto end = kFirstDescriptor + static_cast<int>(number("LISTEN_FDS"));
    for (int descriptor = kFirstDescriptor; descriptor < end; ++descriptor) {
        std::string name;
        std::getline(names, name, ':');
        // Others belong to the host program.
        if (!name.starts_with("snakepit_")) continue;
        ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        out.push_back({name, Handle(descriptor)});
    }
    return out;
}

class SystemdStore final : public DescriptorKeeper {
  public:
    explicit SystemdStore(std::size_t room) : room_(room) {}

    Result<bool> ensure() override { return false; }
    bool alive() override { return true; }
    std::string name() const override { return "systemd"; }

    // systemd does not report when the store is full.
    Status put(const std::string& name, const Handle& descriptor) override {
        const std::lock_guard lock(mutex_);
        if (!held_.contains(name) && held_.size() >= room_)
            return fail(
                ErrorCode::platform_error,
                fmt::format("systemd stores at most {} descriptors for this service", room_),
                "raise FileDescriptorStoreMax, and FDSTORE with it, in the unit");
        SHM_TRY(notify_service_manager(fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name),
                                       descriptor));
        SHM_TRY(await_service_manager(kBarrierMs));
        held_.insert(name);
        return {};
    }
    Status drop(const std::string& name) override {
        const std::lock_guard lock(mutex_);
        SHM_TRY(notify_service_manager(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name)));
        SHM_TRY(await_service_manager(kBarrierMs));
        held_.erase(name);
        return {};
    }
    Result<std::vector<KeptDescriptor>> take_all() override {
        auto out = take_descriptors();
        const std::lock_guard lock(mutex_);
        for (const auto& kept : out) held_.insert(kept.name);
        return out;
    }

  private:
    const std::size_t room_;
    std::mutex mutex_;
    std::set<std::string> held_;
};

}  // namespace

Result<bool> notify_service_manager(std::string_view lines, const Handle& handle) {
    const NotifyAddress address(environment("NOTIFY_SOCKET"));
    if (address.size == 0) return false;
    const Handle socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const timeval patience{kPatienceSeconds, 0};
    if (!socket ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        return fail(system_error(errno, "cannot create a socket"));
    iovec part{const_cast<char*>(lines.data()), lines.size()};
    msghdr message{};
    message.msg_name = const_cast<sockaddr_un*>(&address.value);
    message.msg_namelen = address.size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    const int number = handle.get();
    if (handle) attach_descriptors(message, control, {&number, 1});
    while (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR) return fail(system_error(errno, "cannot notify the service manager"));
    return true;
}

// systemd closes the descriptor of BARRIER=1 when it has processed it.
Status await_service_manager(int timeout_ms) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(system_error(errno, "cannot create a pipe"));
    const Handle mine(ends[0]);
    {
        const Handle theirs(ends[1]);
        SHM_ASSIGN(const bool told, notify_service_manager("BARRIER=1", theirs));
        if (!told) return {};
    }
    pollfd wait{mine.get(), 0, 0};
    int ready = 0;
    while ((ready = ::poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR) {
    }
    if (ready > 0) return {};
    return fail(ErrorCode::timeout, "the service manager does not accept messages",
                "check 'systemctl status'");
}

std::optional<std::int64_t> watchdog_interval_ms() {
    const auto pid = number("WATCHDOG_PID");
    const auto micros = number("WATCHDOG_USEC");
    if (micros <= 0 || (pid != 0 && pid != ::getpid())) return std::nullopt;
    return micros / 2000;
}

std::shared_ptr<DescriptorKeeper> systemd_store() {
    const auto room = number("FDSTORE");
    if (room <= 0 || environment("NOTIFY_SOCKET").empty()) return nullptr;
    return std::make_shared<SystemdStore>(static_cast<std::size_t>(room));
}

}  // namespace snakepit::shm
