// SPDX-License-Identifier: MIT
#include "platform/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/paths.h"
#include "platform/linux/attach_descriptors.h"
#include "platform/mapped_file.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

struct Address {
    sockaddr_un value{};
    socklen_t size = sizeof(sockaddr_un);
    explicit Address(const std::string& path) {
        value.sun_family = AF_UNIX;
        // resolve_paths() has checked the length.
        std::memcpy(value.sun_path, path.data(), std::min(path.size(), sizeof value.sun_path - 1));
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
};

Handle make_socket(int flags) {
    return Handle(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
}

// Linux 6.5; the C library's headers are older.
constexpr int kPassPidfd = 76;  // SO_PASSPIDFD
constexpr int kScmPidfd = 4;    // SCM_PIDFD

constexpr std::size_t kControlSpace =
    CMSG_SPACE(sizeof(int) * kMaxHandles) + CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int));

void collect_ancillary(msghdr& message, Frame& frame) {
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            const auto count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
                frame.handles.emplace_back(fd);
            }
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            ucred who{};
            std::memcpy(&who, CMSG_DATA(c), sizeof who);
            frame.sender = Credentials{who.pid, who.uid, who.gid};
        } else if (c->cmsg_type == kScmPidfd) {
            int process = -1;
            std::memcpy(&process, CMSG_DATA(c), sizeof process);
            if (process >= 0)
                frame.process = Handle(process);  // otherwise the reason why there is none
        }
    }
}

// The kernel adds the real ids by default and accepts any of our ids: explicit ids are needed only
// if the effective ones differ. Checked each time, because ids are per thread.
void attach_effective_ids(msghdr& message, char* control) {
    const auto uid = ::geteuid();
    const auto gid = ::getegid();
    if (uid == ::getuid() && gid == ::getgid()) return;
    const ucred who{::getpid(), uid, gid};
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof who);
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof who);
    std::memcpy(CMSG_DATA(header), &who, sizeof who);
}

}  // namespace

Result<Channel> Channel::connect(const std::string& path) {
    auto socket = make_socket(SOCK_NONBLOCK);
    if (!socket) return fail(system_error(errno, "cannot create a socket"));
    const Address address(path);
    while (::connect(socket.get(), address.get(), address.size) != 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) {
            auto full =
                make_error(ErrorCode::no_manager,
                           fmt::format("the manager at {} does not accept connections", path),
                           "check 'snakepit-shm status'; the manager may be stopped or overloaded");
            full.system_error = EAGAIN;
            return fail(std::move(full));
        }
        if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
            return fail(ErrorCode::no_manager, fmt::format("no manager is running at {}", path),
                        "start one with 'snakepit-shm serve'");
        return fail(system_error(errno, fmt::format("cannot connect to {}", path)));
    }
    Channel channel(std::move(socket));
    channel.names_ids_ = true;
    channel.remember();
    return channel;
}

void Channel::remember() {
    if (const auto id = identity_of(socket_)) {
        device_ = id->device;
        inode_ = id->inode;
    }
}

bool Channel::intact() const {
    const auto id = identity_of(socket_);
    return id && id->device == device_ && id->inode == inode_;
}

Result<Io> Channel::send(std::span<const std::byte> bytes, std::span<const int> handles) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[kControlSpace] = {};
    if (!handles.empty())
        attach_descriptors(message, control, handles);
    else if (names_ids_)
        attach_effective_ids(message, control);
    while (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == ENOBUFS) return Io::again;
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return Io::closed;
        return fail(system_error(errno, "cannot send to the peer"));
    }
    return Io::done;
}

Result<Io> Channel::receive(Frame& frame) {
    if (!frame.room_) frame.room_ = std::make_unique_for_overwrite<std::byte[]>(kMaxFrame);
    frame.bytes = {};
    frame.handles.clear();
    frame.sender.reset();
    frame.process.reset();
    iovec part{frame.room_.get(), kMaxFrame};
    alignas(cmsghdr) char control[kControlSpace];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = 0;
    // The peer closed without reading everything. The kernel reports that once, before the data
    // that the peer sent.
    bool reset = false;
    while ((got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == EINTR || (errno == ECONNRESET && !std::exchange(reset, true))) continue;
        if (errno == EAGAIN) return reset ? Io::closed : Io::again;
        if (errno == ECONNRESET || errno == ENOTCONN) return Io::closed;
        return fail(system_error(errno, "cannot receive from the peer"));
    }
    collect_ancillary(message, frame);  // first, so that handles are owned whatever follows
    if (got == 0)
        return Io::closed;  // SEQPACKET: the end of the stream; we never send empty frames
    if (message.msg_flags & MSG_TRUNC)
        return fail(ErrorCode::protocol_error,
                    fmt::format("a frame is longer than {} bytes", kMaxFrame));
    if (message.msg_flags & MSG_CTRUNC)
        return fail(ErrorCode::protocol_error, "a descriptor was lost in transit",
                    "raise the limit of open files (ulimit -n)");
    frame.bytes = {frame.room_.get(), static_cast<std::size_t>(got)};
    return Io::done;
}

bool Channel::pending() const {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Channel::stop_receiving() {
    ::shutdown(socket_.get(), SHUT_RD);
    char byte = 0;
    // An empty frame could not be distinguished from the end of the stream.
    while (::recv(socket_.get(), &byte, 1, MSG_DONTWAIT) > 0) {
    }
}

void Channel::tell_processes() {
    const int one = 1;
    (void)::setsockopt(socket_.get(), SOL_SOCKET, kPassPidfd, &one, sizeof one);
}

Result<Io> Channel::wait(bool writable, int timeout_ms) const {
    pollfd entry{socket_.get(), static_cast<short>(writable ? POLLOUT : POLLIN), 0};
    const int ready = ::poll(&entry, 1, timeout_ms);
    if (ready < 0 && errno != EINTR)
        return fail(system_error(errno, "cannot wait for the manager"));
    return ready > 0 ? Io::done : Io::again;
}

Result<Listener> Listener::bind(const std::string& path, std::uint32_t mode,
                                std::optional<std::uint32_t> group) {
    Listener listener;
    listener.socket_ = make_socket(SOCK_NONBLOCK);
    if (!listener.socket_) return fail(system_error(errno, "cannot create a socket"));
    // Bound under a temporary name, given its mode, then renamed: it is never too permissive and
    // never missing for clients.
    const auto temporary = path + ".new";
    ::unlink(temporary.c_str());
    const Address address(temporary);
    if (::bind(listener.socket_.get(), address.get(), address.size) != 0)
        return fail(file_error(errno, fmt::format("cannot bind {}", path), path));
    const int one = 1;
    SHM_TRY(set_access(temporary, mode, group));
    if (::setsockopt(listener.socket_.get(), SOL_SOCKET, SO_PASSCRED, &one, sizeof one) != 0 ||
        ::listen(listener.socket_.get(), SOMAXCONN) != 0 ||
        ::rename(temporary.c_str(), path.c_str()) != 0)
        return fail(system_error(errno, fmt::format("cannot listen on {}", path)));
    listener.spare_ = listener.socket_.duplicate();
    return listener;
}

std::optional<Channel> Listener::accept_to_refuse() {
    spare_.reset();
    auto channel = take();
    return channel ? std::move(*channel) : std::nullopt;
}

Result<std::optional<Channel>> Listener::accept() {
    if (!spare_) spare_ = socket_.duplicate();
    return take();
}

Result<std::optional<Channel>> Listener::take() {
    for (;;) {
        Handle socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket) {
            const int one =
                1;  // inherited from the listener on Linux; repeated because it is essential
            ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
            return std::optional<Channel>(Channel(std::move(socket)));
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN) return std::optional<Channel>();
        return fail(system_error(errno, "cannot accept a connection"));
    }
}

Result<Credentials> peer_of(const Handle& socket) {
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return fail(system_error(errno, "cannot identify the connected process"));
    return Credentials{who.pid, who.uid, who.gid};
}

}  // namespace snakepit::shm
