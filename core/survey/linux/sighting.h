// SPDX-License-Identifier: MIT
// What a scan of processes reports.
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
    std::uint64_t device = 0, inode = 0;  // for System V the inode is its id
    // As the system shows it: "/dev/shm/name (deleted)"; empty until needed, see path_of().
    std::string_view path;
    std::uint64_t begin = 0, end = 0;  // addresses of a mapping
    int maps_file = -1;                // open, if the kernel can report the path of one mapping
    std::string_view descriptor;       // its number, if it is not a mapping
    std::uint64_t reaches = 0;  // bytes from the beginning of the file to the end of the mapping
    std::int64_t thread = 0;    // the thread that shows it, if the first thread does not
};

using TellSighting = std::function<void(const Process&, const Sighting&)>;

// Its path below /proc: "7/map_files/…" or "7/fd/3".
std::string entry_of(const Process& process, const Sighting& seen);
// Read on first use; valid only during the callback. Empty: not available.
std::string path_of(int proc, const Process& process, const Sighting& seen);

// One piece of shared memory without a file, and its users.
struct AnonymousMemory {
    std::uint64_t resident = 0;  // bytes; if unknown, the mapped size
    bool exact = true;           // the size is known
    std::vector<std::int64_t> pids;
};

// The result of a scan, besides the reported sightings.
struct LookResult {
    // The count, and the first few.
    struct Some {
        std::uint64_t count = 0;
        std::vector<std::int64_t> pids;
        void add(std::int64_t pid);

      private:
        std::unordered_set<std::int64_t> known_;
    };
    using Descriptor = std::pair<std::int64_t, std::string>;  // a process, and "7/fd/3"
    Some unreadable;                                          // access denied
    // Descriptors sent but not yet received, by the process with the socket.
    std::map<std::int64_t, std::uint64_t> waiting;
    std::map<std::int64_t, std::uint64_t> registered;  // files and buffers of io_uring, likewise
    Some graphics;                                     // processes with an open graphics device
    // Open files on file systems that are in no list of mounts, by mount id.
    std::map<std::uint64_t, Descriptor> mounts;
    std::map<std::uint64_t, Descriptor> namespaces;      // in use by a process, by id
    std::map<std::uint64_t, AnonymousMemory> anonymous;  // by inode
    std::uint64_t threads_left_out = 0, sockets_left_out = 0;
};

struct LookOptions {
    std::vector<std::uint64_t> devices;  // of file systems with segments
    // Devices of memory without a name: small pages first, then huge pages.
    std::vector<std::uint64_t> memfd_devices;
    bool as_text = false;  // reads the mappings as text, as on older kernels
    bool quick = false;    // without sockets
};

}  // namespace snakepit::shm::survey
