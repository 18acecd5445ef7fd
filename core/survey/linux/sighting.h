// SPDX-License-Identifier: MIT
// What a look at processes tells of.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace snakepit::shm::survey {

struct Process;

// A process's use of a file that may be a segment.
struct Sighting {
    enum class What : std::uint8_t { file, memfd, system_v };
    What what{};
    bool maps = false;
    std::uint64_t device = 0, inode = 0;  // of System V the inode is its number
    // As the system shows it: "/dev/shm/name (deleted)"; empty when nobody needed it yet, see
    // path_of().
    std::string_view path;
    std::uint64_t begin = 0, end = 0;  // addresses of a mapping
    int maps_file = -1;                // open, when the kernel tells the path of one mapping
    std::string_view descriptor;       // its number, of what is no mapping
    std::uint64_t reaches = 0;  // bytes from the beginning of the file to the end of the mapping
    std::int64_t thread = 0;    // that shows it, where the process's first one does not
};

using TellSighting = std::function<void(const Process&, const Sighting&)>;

// What stands for it under /proc: "7/map_files/…" or "7/fd/3".
std::string entry_of(const Process& process, const Sighting& seen);
// Asked for if it is not there yet; only while the sighting is told. Empty: not to be had.
std::string path_of(int proc, const Process& process, const Sighting& seen);

// Memory that is mapped shared and has no file: one piece, by whoever maps it.
struct AnonymousMemory {
    std::uint64_t resident = 0;  // bytes; where the system does not tell, of what is mapped
    bool exact = true;           // the system told
    std::vector<std::int64_t> pids;
};

// What a look at all processes found beside the sightings that it told.
struct LookResult {
    // How many, and the first few of them.
    struct Some {
        std::uint64_t count = 0;
        std::vector<std::int64_t> pids;
        void add(std::int64_t pid);

      private:
        std::unordered_set<std::int64_t> known_;
    };
    using Descriptor = std::pair<std::int64_t, std::string>;  // a process, and "7/fd/3"
    Some unreadable;                                          // not allowed to be looked at
    // Descriptors that were sent and not received yet, by who has the socket.
    std::map<std::int64_t, std::uint64_t> waiting;
    std::map<std::int64_t, std::uint64_t> registered;  // files that io_uring holds, likewise
    Some graphics;                                     // have a graphics device open
    // Open files on file systems that nobody's list of mounts has, by the mount's number.
    std::map<std::uint64_t, Descriptor> mounts;
    std::map<std::uint64_t, Descriptor> namespaces;      // of which somebody has one, by number
    std::map<std::uint64_t, AnonymousMemory> anonymous;  // by inode
    std::uint64_t threads_left_out = 0, sockets_left_out = 0;
};

struct LookOptions {
    std::vector<std::uint64_t> devices;  // of file systems whose files are segments
    // Where memory without a name lives: that of small pages first, then of huge ones.
    std::vector<std::uint64_t> memfd_devices;
    bool as_text = false;  // reads the mappings as older systems show them
    bool quick = false;    // without sockets
};

}  // namespace snakepit::shm::survey
