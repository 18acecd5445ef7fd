// SPDX-License-Identifier: MIT
// Frames between a client and the manager: a local socket that keeps message boundaries
// (SOCK_SEQPACKET), carries handles, and tells who sent each frame.
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

// As the kernel vouches for it, in our own pid and user namespaces.
struct Credentials {
    std::int64_t pid = 0;  // 0: of a process that our pid namespace has no number for
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    friend bool operator==(const Credentials&, const Credentials&) = default;
};

// What was received last. Used again for the next frame: room for the longest is made once, and not
// cleared each time.
class Frame {
  public:
    std::span<const std::byte> bytes;  // until the next frame is received into this
    std::vector<Handle> handles;
    // The ids are effective ones, see Channel::connect(); what the sender's own kernel calls say.
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

    // Does not block. no_manager when nobody listens; with system_error set when somebody does, and
    // takes in no more connections. Each frame sent over it says which effective user and group its
    // thread has: left alone the kernel tells the real ones, which of a set-uid program are not
    // those that connected.
    static Result<Channel> connect(const std::string& path);

    // Neither blocks. `again`: the other side does not read / has not written.
    // A frame cut short, or handles the kernel dropped for lack of descriptors, is protocol_error.
    Result<Io> send(std::span<const std::byte> bytes, std::span<const int> handles = {});
    Result<Io> receive(Frame& frame);

    // Something was sent to us that was not received yet.
    bool pending() const;
    // Nothing more is received: what waits is dropped, and what is sent to us from now on fails at
    // the sender. Without it the end of a connection with frames that nobody read makes the kernel
    // tell the other side of a reset before it shows what we had answered.
    void stop_receiving();
    // Frames bring a descriptor of their sender's process from now on, for one whose number says
    // nothing. Linux 6.5; nothing happens on older ones.
    void tell_processes();

    // Waits until the socket is readable (or writable), or `timeout_ms` has passed: then `again`.
    Result<Io> wait(bool writable, int timeout_ms) const;

    const Handle& handle() const { return socket_; }
    bool valid() const { return socket_.valid(); }
    void close() { socket_.reset(); }
    // False when the program closed our descriptor behind our back (and may have reused its
    // number).
    bool intact() const;
    // Lets go of the number without closing it: it is not ours any more.
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
    explicit Listener(Handle socket) : socket_(std::move(socket)) {}  // that listens already
    // Binds with this mode and group, replacing a socket file that a dead manager left (the caller
    // holds the instance's lock, so it is dead).
    static Result<Listener> bind(const std::string& path, std::uint32_t mode = 0600,
                                 std::optional<std::uint32_t> group = {});
    Result<std::optional<Channel>> accept();  // nothing: nobody waits
    // After accept() failed for lack of descriptors: the same with the one that was kept for this,
    // so that who waits can be told. Nothing as well when not even that can be done.
    std::optional<Channel> accept_to_refuse();
    const Handle& handle() const { return socket_; }

  private:
    Result<std::optional<Channel>> take();

    Handle socket_;
    Handle spare_;
};

// Who made the connection: the process, and the effective ids its thread had.
Result<Credentials> peer_of(const Handle& socket);

}  // namespace snakepit::shm
