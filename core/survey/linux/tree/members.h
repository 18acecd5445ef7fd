// SPDX-License-Identifier: MIT
// The processes of a command: all its descendants, including those that have ended.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"

namespace snakepit::shm::survey {

// The clock of every moment of a tree. Milliseconds.
inline std::int64_t now_ms() {
    return monotonic_nanos() / 1'000'000;
}

struct Member {
    std::int64_t pid = 0;
    std::int64_t started = 0;  // clock ticks since boot; 0: not read yet
    std::string program;
    std::uint64_t parent = 0;    // the member that started it; 0: none, or unknown
    bool origin_known = false;   // `parent` is right
    bool reported = false;       // by the kernel's records
    bool used_segments = false;  // kept after it has ended
    std::int64_t found_at = 0;   // milliseconds of the monotonic clock
    std::int64_t ended_at = 0;   // when its end was noticed; 0: running
};

// A process stays a member permanently. Pids are reused, so members have their own numbers, from 1.
class Members {
  public:
    // The command's first process, a child of ours, and another child that is not a member.
    Members(std::int64_t pid, std::int64_t other_child);

    // Reports of the kernel, in any order.
    void forked(std::int64_t pid, std::int64_t parent);
    void named(std::int64_t pid, std::string name);
    void exited(std::int64_t pid);

    // Finds running members in /proc, below this process; returns the new ones.
    std::vector<std::int64_t> walk();
    // Beside its first one.
    static bool has_threads(std::int64_t pid);
    // False: the system does not list children, so only reported processes are known.
    static bool can_walk();
    // Adds a running process that no record reported.
    bool any_unreported() const;

    // The member that has this pid now or had it recently; 0: none.
    std::uint64_t at(std::int64_t pid) const;
    // The same; a running process whose ancestors lead to us becomes a member.
    std::uint64_t find(std::int64_t pid);
    // The same; an unreported process becomes a member: for actions that only members can do.
    std::uint64_t reported_at(std::int64_t pid);
    Member& member(std::uint64_t number) { return all_.at(number); }
    const Member& member(std::uint64_t number) const { return all_.at(number); }

    // Reads its name again: it changes when the process executes another program.
    void refresh(std::uint64_t number);
    // The members running now.
    std::vector<std::uint64_t> living() const;
    // Whether `number` is `ancestor` or its descendant, or may be, because its origin is unknown.
    bool may_descend(std::uint64_t number, std::uint64_t ancestor) const;

  private:
    Member& add(std::int64_t pid, std::uint64_t parent, bool look = true);
    void find_children(std::int64_t pid, std::vector<std::int64_t>& found) const;
    void note_ended(const std::vector<std::int64_t>& found);
    void forget();

    std::int64_t other_child_;
    std::unordered_map<std::uint64_t, Member> all_;
    std::unordered_map<std::int64_t, std::uint64_t> by_pid_;
    std::uint64_t last_ = 0;
};

}  // namespace snakepit::shm::survey
