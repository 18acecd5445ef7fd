// SPDX-License-Identifier: MIT
// Watches which segments the processes of a tree use while they run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "base/time.h"
#include "survey/linux/process_table.h"
#include "survey/linux/tree/budget.h"
#include "survey/linux/tree/kernel_records.h"
#include "survey/linux/tree/members.h"
#include "survey/linux/tree/open_events.h"
#include "survey/process_tree.h"

namespace snakepit::shm::survey {

// A process outside the tree.
struct Outsider {
    std::int64_t pid = 0;  // 0: in a pid namespace that we do not see
    std::string program;   // empty: unknown
};

// The facts about one segment that the tree or another process used.
struct SegmentFacts {
    std::map<std::uint64_t, TreeUse> members;  // by their numbers
    bool created = false;                      // it is known which process created it
    // The kernel reported that a process outside the tree created it.
    bool made_by_other = false;
    Outsider maker;
    // A process outside the tree used it, and may use it again.
    bool used_by_other = false;
    Outsider user;
    std::int64_t last_user = -1;  // System V: the pid, as read last
    // Where the kernel does not tell who opens a file: how often it was opened and closed, and who
    // mapped it.
    std::uint64_t opens = 0, closes = 0;
    std::set<std::uint64_t> mapped_by;
};

// Whether a process has this pid.
bool is_running(std::int64_t pid);

// One thread.
class TreeWatch final : private RecordSink {
  public:
    // `pid`: the command's first process; `other_child`: a child of ours outside the tree. `shm`:
    // the directory of the tree's segments. `own_table`: the tree shares our System V table.
    // Existing segments count as older than the tree.
    static Result<TreeWatch> begin(std::int64_t pid, std::int64_t other_child, const Handle& shm,
                                   bool own_table);

    // The descriptors to wait for, and the longest wait, before the next wake().
    std::vector<int> descriptors();
    int timeout_ms();
    void wake();
    // Removes a descriptor that hung up and would stay ready.
    void on_hang_up() { records_quiet_ = true; }
    // Collects the remaining facts after the command has ended.
    void finish();
    // Call when this process has entered the tree's own IPC namespace.
    void read_table();

    bool was_there(std::uint64_t inode) const { return files_before_.contains(inode); }
    // Every file that the tree creates is created after this moment of the wall clock, unless the
    // clock is set back.
    Timestamp began() const { return began_; }
    // Whether a file can have existed before the tree without being in the list of those.
    static bool is_too_deep(std::string_view name);
    // The kernel reports who creates a file.
    bool knows_file_creators() const { return opens_.has_value(); }
    // More opens than processes of the tree are known to have done.
    bool may_have_other_users(const SegmentFacts& facts) const;
    // All processes of the tree are known.
    bool knows_members() const { return records_ && !records_lost_; }
    bool table_had(std::int64_t id) const { return table_before_.contains(id); }
    std::uint64_t device() const { return device_; }
    bool found_any() const { return !files_.empty() || !table_.empty(); }
    // Null: unknown.
    const SegmentFacts* of_file(std::uint64_t inode) const;
    const SegmentFacts* of_table(std::int64_t id) const;

    Members& members() { return members_; }
    const Members& members() const { return members_; }
    Attribution attribution() const;
    std::vector<std::string> notes() const;

  private:
    TreeWatch(std::int64_t pid, std::int64_t other_child, bool own_table)
        : members_(pid, other_child), own_table_(own_table) {}
    Status look_before(const Handle& shm);
    void watch_directory(const std::string& path, int depth);

    void on_forked(std::int64_t pid, std::int64_t parent) override { members_.forked(pid, parent); }
    void on_named(std::int64_t pid, std::string name) override {
        members_.named(pid, std::move(name));
    }
    void on_exited(std::int64_t pid) override { members_.exited(pid); }
    void on_mapped(std::int64_t pid, std::uint64_t device, std::uint64_t inode) override;
    void on_lost() override { records_lost_ = true; }

    bool exact() const { return records_ && opens_; }
    void read_opens();
    bool is_outsider(std::int64_t pid) const;
    static void note_use(SegmentFacts& facts, std::int64_t pid);
    bool read_directory_events();
    void count_use(const std::string& path, std::uint32_t what);
    // Updates the members and reads the segments of new ones; of all if `everybody`.
    void look(bool everybody);
    void look_at(const std::vector<std::int64_t>& pids);
    void see(std::unordered_map<std::uint64_t, SegmentFacts>& where, std::uint64_t segment,
             std::uint64_t member, TreeUse use);
    void records_ended();

    Members members_;
    bool own_table_;
    std::uint64_t device_ = 0, memfd_device_ = 0, ipc_ns_ = 0;
    Timestamp began_;
    std::unordered_set<std::uint64_t> files_before_;
    std::unordered_set<std::int64_t> table_before_;
    std::unordered_map<std::uint64_t, SegmentFacts> files_, table_;  // by inode, by id

    std::optional<KernelRecords> records_;
    std::optional<OpenEvents> opens_;
    Handle directory_events_;
    std::map<int, std::string> directories_;  // by inotify's watch
    bool opens_lost_ = false;                 // by inotify
    bool records_lost_ = false, records_quiet_ = false;
    std::uint64_t unreadable_ = 0;  // denied accesses

    Budget budget_;
    std::int64_t next_look_ms_ = 0, interval_ms_ = 0, all_seen_ms_ = 0;
    bool opened_meanwhile_ = false;
};

}  // namespace snakepit::shm::survey
