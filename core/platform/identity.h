// SPDX-License-Identifier: MIT
// Identifies the process behind a request and its program, using only information from the kernel.
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

// A program identified by its file: its path alone may mean another file in another mount
// namespace, or a file that was replaced since.
struct Executable {
    std::string path;
    FileIdentity file;
    friend bool operator==(const Executable&, const Executable&) = default;
};

// One process, from the moment it was identified to its end. All information is about that process
// and never about a later one with the same pid. What /proc hides (hidepid, another pid namespace)
// is unknown, which does not prevent serving the process. One thread.
class Identity {
  public:
    virtual ~Identity() = default;

    virtual std::int64_t start_time() const = 0;  // clock ticks since boot; 0: not known
    virtual std::uint64_t number() const = 0;     // process_number(); 0: unknown
    // Its first thread's name; empty: unknown.
    virtual const std::string& name() const = 0;
    // Real and saved ids; empty: unknown.
    virtual const std::optional<OtherIds>& other_ids() const = 0;
    // Supplementary groups; for a connection, those at the time of connecting.
    virtual const std::vector<std::uint32_t>& groups() const = 0;
    // Its program. Empty if unknown (another user's process, without CAP_SYS_PTRACE), or if the
    // process executed another program since it was identified: it does not get that program's
    // permissions.
    virtual std::optional<Executable> program() const = 0;
    // Whether it is alive, as far as known.
    virtual bool same() const = 0;
    // See watch_process(); invalid if there is nothing to watch.
    virtual Handle watch() const = 0;
};

// The process at the other end of a connection. `who`: the result of peer_of().
//
// Why a reused pid cannot be mistaken: a process descriptor is opened when the connection is
// accepted (from the socket itself if the kernel has SO_PEERPIDFD). While that process is alive no
// other process has its pid. The kernel adds the sender's pid to each frame. A frame with that pid,
// sent after the descriptor was opened and while its process is alive, was sent by that process.
// Earlier frames are not trusted: frames sent before the handshake was answered are refused. Data
// from /proc is read under the pid of this descriptor, and is used only if the process is still the
// same afterwards.
//
// A process outside our pid namespace has pid 0. The frame's own descriptor (Frame::process)
// identifies its sender; on kernels without it, the sender can be any process of that user that has
// the socket.
Result<std::shared_ptr<const Identity>> identify_peer(const Handle& socket, const Credentials& who);

// A process known by pid and start time (0: by pid only). identity_mismatch if it has exited.
Result<std::shared_ptr<const Identity>> identify_process(std::int64_t pid, std::int64_t start_time);

// Whether this is the kernel's overflow id (65534), which stands for every user or group without a
// mapping in our user namespace.
bool stands_for_strangers(std::uint32_t uid);
bool group_stands_for_strangers(std::uint32_t gid);
// Not a valid user or group id.
inline constexpr std::uint32_t kNoId = ~0U;

// The file that a program's path refers to now, following links. Empty if there is none.
std::optional<Executable> executable_at(const std::string& path);

}  // namespace snakepit::shm
