// SPDX-License-Identifier: MIT
// Frames between a client and the manager over a local socket (SOCK_SEQPACKET), which keeps message
// boundaries, carries handles and identifies the sender of each frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

inline constexpr std::size_t kMaxFrame =
    std::size_t{64} * 1024;                    // both ways; longer answers are paged
inline constexpr std::size_t kMaxHandles = 2;  // in one frame

// As reported by the kernel, in our own pid and user namespaces.
struct Credentials {
    std::int64_t pid = 0;  // 0: a process outside our pid namespace
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    friend bool operator==(const Credentials&, const Credentials&) = default;
};

// The last received frame. Reuse it for the next one: its buffer is allocated once, for the longest
// frame, and not cleared each time.
class Frame {
  public:
    std::span<const std::byte>
        bytes;  // valid valid until the next frame is received into this object object
    std::vector<Handle> handles;
    // Effective ids, see Channel::connect(); as in the sender's own system calls.
    std::optional<Credentials> sender;
    Handle process;  // of the sender, see Channel::tell_processes()

  private:
    friend class Channel;
    std::unique_ptr<std::byte[]> room_;
};

enum class Io : std::uint8_t { done, again, closed };

class Channel {
  public:
    Channel() = default;
    explicit Channel(Handle socket) : socket_(std::move(socket)) {}

    // Does not block. no_manager if no process listens; with system_error set if one does but
    // accepts no more connections. Each frame carries the effective user and group of the sending
    // thread. By default the kernel would send the real ids, which for a set-uid program differ
    // from those of the connection.
    static Result<Channel> connect(const std::string& path);

    // Do not block. `again`: the peer does not read / has not written. protocol_error: a truncated
    // frame, or handles that the kernel dropped for lack of descriptors.
    Result<Io> send(std::span<const std::byte> bytes, std::span<const int> handles = {});
    Result<Io> receive(Frame& frame);

    // True if there is an unreceived frame.
    bool pending() const;
    // Stops receiving: waiting frames are dropped, and sending to us fails from now on. Otherwise
    // closing a connection with unread frames makes the kernel report a reset to the peer before
    // our last answers.
    void stop_receiving();
    // From now on frames carry a process descriptor of their sender, for senders without a pid in
    // our namespace. Linux 6.5; no effect on older kernels.
    void tell_processes();

    // Waits until the socket is readable (or writable); `again` after `timeout_ms`.
    Result<Io> wait(bool writable, int timeout_ms) const;

    const Handle& handle() const { return socket_; }
    bool valid() const { return socket_.valid(); }
    void close() { socket_.reset(); }
    // False if the program closed our descriptor (and may have reused its number).
    bool intact() const;
    // Drops the descriptor number without closing it: it is not ours any more.
    void disown() { socket_.release(); }

  private:
    void remember();

    Handle socket_;
    std::uint64_t device_ = 0, inode_ = 0;
    bool names_ids_ = false;
};

class Listener {
  public:
    Listener() = default;
    explicit Listener(Handle socket)
        : socket_(std::move(socket)) {}  // a socket that already listens
    // Binds with this mode and group, replacing the socket file of a dead manager. (The caller
    // holds the instance's lock, so that manager is dead.)
    static Result<Listener> bind(const std::string& path, std::uint32_t mode = 0600,
                                 std::optional<std::uint32_t> group = {});
    Result<std::optional<Channel>> accept();  // empty: no connection is waiting
    // After accept() failed for lack of descriptors: the same with a descriptor reserved for this,
    // so that the client gets an error. Empty if that fails too.
    std::optional<Channel> accept_to_refuse();
    const Handle& handle() const { return socket_; }

  private:
    Result<std::optional<Channel>> take();

    Handle socket_;
    Handle spare_;
};

// The process that connected, and the effective ids of the connecting thread.
Result<Credentials> peer_of(const Handle& socket);

}  // namespace snakepit::shm
