// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "survey/linux/sighting.h"
#include "survey/process_view.h"

namespace snakepit::shm::survey {

inline constexpr int kMostPasses = 3;  // over the list of processes, for what starts meanwhile

struct Process {
    std::int64_t pid = 0;
    std::uint32_t uid = 0;  // the owner of its directory; root for a non-dumpable process
    std::uint64_t mount_ns = 0, ipc_ns = 0, pid_ns = 0;  // 0: unknown
    std::uint64_t root_device = 0, root_inode = 0;       // 0: unknown
    // Of a thread in other namespaces than its process, or acting for another user; else 0.
    std::int64_t thread = 0;
    bool has_threads = false;  // in addition to the first thread
    bool covered = false;      // its directory is covered by a mount: nothing is known about it
};

// A process's view of files: processes of one mount namespace may have different roots.
struct View {
    std::uint64_t mount_ns = 0, root_device = 0, root_inode = 0;
    auto operator<=>(const View&) const = default;
};
inline View view_of(const Process& process) {
    return {process.mount_ns, process.root_device, process.root_inode};
}

// Its directory under /proc: "7", or of a thread "7/task/8".
std::string home_of(const Process& process);

// The ids and privileges in the status files of a process and of its threads.
struct Credentials {
    std::vector<std::uint32_t> users, groups;
    // A process without privileges that ignore modes is judged by its ids alone.
    bool ignores_modes = false;
    // In a user namespace with other ids than ours: its uid_map and gid_map.
    std::optional<std::string> user_map, group_map;
};

// ProcessTable::look() for these processes only. `proc`: an open directory /proc.
std::uint64_t look_at_processes(int proc, const std::vector<Process>& processes,
                                const LookOptions& options, const TellSighting& tell);

// All processes in /proc. One thread.
class ProcessTable final : public ProcessView {
  public:
    // `proc`: the directory /proc, or a test's own.
    static Result<ProcessTable> read(const std::string& proc_path, Timestamp now);

    const std::vector<Process>& processes() const { return processes_; }
    std::uint64_t listed() const { return listed_.size(); }
    int proc() const { return proc_.get(); }
    Timestamp boot() const { return boot_; }
    View own_view() const;
    // True if no process is hidden from us.
    bool all_listed() const { return all_listed_; }
    // The number of threads that were not checked for namespaces of their own.
    bool threads_left_out() const { return threads_left_out_; }

    // Scans the mappings and descriptors of every process, including threads with their own
    // descriptor table. Reports those on one of the devices and those without a visible file
    // system.
    LookResult look(const LookOptions& options, const TellSighting& tell) const;

    const std::string& name_of(std::int64_t pid) const;
    // Its software, by its executable and libraries; empty if they cannot be read. Available after
    // look().
    std::optional<SoftwareSet> software_of(std::int64_t pid) const;

    // The other pid namespaces with processes that share the file system `device`.
    void share(std::uint64_t device, const Process& process);
    bool is_shared(std::uint64_t device) const { return sharers_.contains(device); }

    ProcessFacts find(std::int64_t pid) const override;
    bool is_listed(std::int64_t pid) const override { return listed_.contains(pid); }
    Found find_in_containers(std::uint64_t device, std::int64_t pid) const override;
    Found anyone(const Access& access) const override;
    Found find_software(std::uint32_t uid, SoftwareSet software) const override;
    Found find_administrator() const override;

  private:
    using Inner = std::unordered_map<std::int64_t, std::int64_t>;  // inner pid, pid here

    // Adds the processes that /proc lists and the table does not have, and drops those that have
    // ended. False if there were any.
    bool list_again() const;
    // False if processes still began or ended in the last of several passes.
    bool settle() const;
    Process read_process(const char* name, std::int64_t pid) const;
    bool has_threads(const Process& process) const;
    void add_threads(const Process& process) const;
    ProcessFacts read_facts(std::int64_t pid) const;
    const std::optional<Credentials>& credentials_of(const Process& process) const;
    bool add_credentials(const std::string& home, Credentials& out) const;
    bool add_credentials_of_threads(const Process& process, Credentials& out) const;
    bool add_id_maps(const Process& process, Credentials& out) const;
    Answer is_let_in(const Process& process, const Access& access) const;
    // Both report in `ended` that a listed process ended meanwhile.
    Found look_for(const Access& access, bool& ended) const;
    Found look_for_software(std::uint32_t uid, SoftwareSet software, bool& ended) const;
    Found look_for_administrator(bool& ended) const;
    // Looks until no listed process ended meanwhile; at most three times.
    Found look_until_settled(const std::function<Found(bool& ended)>& look) const;
    Answer is_administrator(const Process& process, bool& ended) const;
    // The processes that started this one, and itself.
    std::unordered_set<std::int64_t> askers() const;
    Answer nobody() const;
    void note_if_runs(std::int64_t pid, SoftwareSet software, Found& out) const;

    Handle proc_;
    Timestamp boot_;
    bool all_listed_ = true;
    mutable bool threads_left_out_ = false, settled_ = true;
    std::uint64_t own_pid_ns_ = 0, own_ipc_ns_ = 0, device_ = 0;
    mutable std::size_t threads_looked_at_ = 0, threads_asked_ = 0;
    mutable std::vector<Process> processes_;
    mutable std::unordered_map<std::int64_t, SoftwareSet> software_;  // since look()
    mutable std::unordered_set<std::int64_t> listed_;
    std::map<std::uint64_t, std::vector<Process>> sharers_;  // by device
    mutable std::unordered_map<std::int64_t, ProcessFacts> facts_;
    mutable std::unordered_map<std::int64_t, std::string> names_;
    mutable std::map<Access, Found> let_in_;
    mutable std::optional<Found> administrator_;
    mutable std::map<std::pair<std::uint32_t, SoftwareSet>, Found> software_found_;
    mutable std::unordered_map<std::int64_t, std::optional<Credentials>> credentials_;
    mutable std::map<std::uint64_t, std::pair<Answer, Inner>> inner_;  // by device
};

}  // namespace snakepit::shm::survey
