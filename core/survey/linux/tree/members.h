// SPDX-License-Identifier: MIT
// The processes of a command: all that descend from it, also those that have ended.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

namespace snakepit::shm::survey {

struct Member {
    std::int64_t pid = 0;
    std::int64_t started = 0;  // clock ticks since boot; 0: not looked at yet
    std::string program;
    std::uint64_t parent = 0;    // the member that started it; 0: none, or it is not known
    bool origin_known = false;   // `parent` is right
    bool reported = false;       // by the kernel's records
    bool used_segments = false;  // is not forgotten when it has ended
    std::int64_t found_at = 0;   // milliseconds of the monotonic clock
    std::int64_t ended_at = 0;   // when that was noticed; 0: it runs
};

// A process is a member once and for all. Its number alone may be another's later, so members have
// numbers of their own, from 1.
class Members {
  public:
    // The command's first process, a child of ours, and another child that is no member.
    Members(std::int64_t pid, std::int64_t other_child);

    // What the kernel reports, in any order.
    void forked(std::int64_t pid, std::int64_t parent);
    void named(std::int64_t pid, std::string name);
    void exited(std::int64_t pid);

    // Finds the living ones in /proc, below this process; those that were not known yet.
    std::vector<std::int64_t> walk();
    // Beside its first one.
    static bool has_threads(std::int64_t pid);
    // False: the system does not list them, and only what it reports is known.
    static bool can_walk();
    // One that runs for a while and that no record told of.
    bool any_unreported() const;

    // The member that has this number now or had it a moment ago; 0: none.
    std::uint64_t at(std::int64_t pid) const;
    // The same, and a living process becomes one whose parents lead to us.
    std::uint64_t find(std::int64_t pid);
    // The same, and one that nothing told of yet becomes one: for what only members can do.
    std::uint64_t reported_at(std::int64_t pid);
    Member& member(std::uint64_t number) { return all_.at(number); }
    const Member& member(std::uint64_t number) const { return all_.at(number); }

    // Reads again what it is called: programs change when they execute another one.
    void refresh(std::uint64_t number);
    // Those that run at this moment.
    std::vector<std::uint64_t> living() const;
    // Whether `number` is `ancestor` or descends from it, or may: where its origin is not known.
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
