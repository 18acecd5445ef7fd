// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "survey/verdict.h"

namespace snakepit::shm::survey {

struct Process {
    std::int64_t pid = 0;
    std::uint32_t uid = 0;  // as the owner of its directory says; root for one that hides itself
    std::uint64_t mount_ns = 0, ipc_ns = 0;  // 0: not told to us
};

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
};

// What stands for it under /proc: "7/map_files/…" or "7/fd/3".
std::string entry_of(const Process& process, const Sighting& seen);
// Asked for if it is not there yet; only while the sighting is told. Empty: not to be had.
std::string path_of(int proc, const Process& process, const Sighting& seen);

// What ProcessTable::look() does, of these processes alone. `proc`: an open directory /proc.
std::uint64_t look_at_processes(int proc, const std::vector<Process>& processes,
                                const std::vector<std::uint64_t>& devices,
                                const std::vector<std::uint64_t>& memfd_devices,
                                const std::function<void(const Process&, const Sighting&)>& tell,
                                bool as_text = false);

// The processes there are, from /proc. One thread.
class ProcessTable final : public ProcessView {
  public:
    // `proc`: the directory /proc, or a test's own.
    static Result<ProcessTable> read(const std::string& proc_path, Timestamp now);

    const std::vector<Process>& processes() const { return processes_; }
    int proc() const { return proc_.get(); }
    Timestamp boot() const { return boot_; }

    // Looks at every process's mappings and descriptors, and tells of those on one of `devices` and
    // of those that have no file system anybody sees. `memfd_devices`: where memory without a name
    // lives. `as_text`: reads the mappings as older systems show them. Answers how many processes
    // it was not allowed to look at.
    std::uint64_t look(const std::vector<std::uint64_t>& devices,
                       const std::vector<std::uint64_t>& memfd_devices,
                       const std::function<void(const Process&, const Sighting&)>& tell,
                       bool as_text = false) const;

    const std::string& name_of(std::int64_t pid) const;

    std::optional<ProcessFacts> find(std::int64_t pid) const override;
    bool user_has_any(std::uint32_t uid) const override;
    std::optional<std::int64_t> find_of_user(std::uint32_t uid,
                                             std::string_view name) const override;
    PythonFacts python_of_user(std::uint32_t uid) const override;

  private:
    std::optional<ProcessFacts> read_facts(std::int64_t pid) const;
    bool is_of(const Process& process, std::uint32_t uid) const;
    // Until `take` answers that it has enough.
    void each_of_user(std::uint32_t uid, std::string_view name,
                      const std::function<bool(const ProcessFacts&)>& take) const;

    Handle proc_;
    Timestamp boot_;
    std::vector<Process> processes_;
    mutable std::unordered_map<std::int64_t, std::optional<ProcessFacts>> facts_;
    mutable std::unordered_map<std::int64_t, std::string> names_;
    mutable std::map<std::pair<std::uint32_t, std::string>, std::optional<std::int64_t>> of_users_;
    mutable std::map<std::uint32_t, PythonFacts> python_;
    mutable std::unordered_map<std::int64_t, std::vector<std::uint32_t>> real_users_;
};

}  // namespace snakepit::shm::survey
