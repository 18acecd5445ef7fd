// SPDX-License-Identifier: MIT
// Which process asks, from the kernel alone, and what it runs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "platform/process.h"

namespace snakepit::shm {

// A program as the file it is: its path alone may mean another file in another mount namespace, or
// a file that was exchanged since.
struct Executable {
    std::string path;
    FileIdentity file;
    friend bool operator==(const Executable&, const Executable&) = default;
};

// One process, from the moment it was identified to its end. What is told of it is of that process
// and of no later one with its number. What /proc does not show us of it (hidepid, another pid
// namespace) is not known, and is no reason not to serve it. One thread.
class Identity {
  public:
    virtual ~Identity() = default;

    virtual std::int64_t start_time() const = 0;  // clock ticks since boot; 0: not known
    virtual std::uint64_t number() const = 0;     // process_number(); 0: not known
    // Its first thread's name; empty: not known.
    virtual const std::string& name() const = 0;
    // Beside the effective ids; nothing: not known.
    virtual const std::optional<OtherIds>& other_ids() const = 0;
    // Supplementary ones; of a connection, those the process had when it connected.
    virtual const std::vector<std::uint32_t>& groups() const = 0;
    // What it runs; nothing when the kernel does not tell us (another user's process, and we have
    // no CAP_SYS_PTRACE), or when it is another program than at the beginning: one that asks and
    // then becomes another program does not get what that one may have.
    virtual std::optional<Executable> program() const = 0;
    // It lives, as far as can be told.
    virtual bool same() const = 0;
    // See watch_process(); invalid where there is nothing to watch.
    virtual Handle watch() const = 0;
};

// The process at the other end of a connection. `who`: what peer_of() said.
//
// Why a process id that is given out again cannot be mistaken: a descriptor of the process is taken
// when the connection is accepted (from the socket itself where the kernel has SO_PEERPIDFD). While
// that process lives nobody else has its number. A frame names its sender's number, given by the
// kernel; one that was sent after the descriptor was taken, by a process of that number, while the
// descriptor's process still lives, was sent by that very process. Frames from before are not
// believed: Session refuses what was sent ahead of its answer to the greeting. And what is read
// in /proc is read under the number that this descriptor has there, and counts only if the process
// is still the same afterwards.
//
// A process outside of our pid namespace has the number 0. Which one sends a frame is told by the
// frame's own descriptor (Frame::process); on kernels without those it is anybody of that user whom
// the socket was given to.
Result<std::shared_ptr<const Identity>> identify_peer(const Handle& socket, const Credentials& who);

// A process that was known before, by its number and start time (0: by its number alone).
// identity_mismatch: it is gone.
Result<std::shared_ptr<const Identity>> identify_process(std::int64_t pid, std::int64_t start_time);

// The kernel shows every user and group that our user namespace has no number for as one and the
// same number (65534). Whether this is that number, and may so stand for anybody.
bool stands_for_strangers(std::uint32_t uid);
bool group_stands_for_strangers(std::uint32_t gid);
// No user and no group has this number, and nobody is in it.
inline constexpr std::uint32_t kNoId = ~0U;

// The file a program's path leads to now, links followed. Nothing when there is none.
std::optional<Executable> executable_at(const std::string& path);

}  // namespace snakepit::shm
