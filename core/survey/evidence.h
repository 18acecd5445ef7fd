// SPDX-License-Identifier: MIT
// What follows from the facts about one segment, question by question. No system call but through
// ProcessView.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "survey/our_names.h"
#include "survey/process_view.h"

namespace snakepit::shm::survey {

// What is the same for every segment of one survey.
struct Setting {
    Timestamp now;
    const ProcessView& processes;
    const Instances& instances;
    bool complete = true;    // every process that is listed could be looked at
    bool outermost = true;   // none lives outside of what we see, and user numbers are the system's
    bool all_listed = true;  // every process is there to be found by its pid
    // The wall clock was set since the system started, for certain: ages mean nothing.
    bool stepped = false;
    // Files that are mounted at places of their own, by device and inode: where.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> mounted = {};
    // Creators some of whose segments are in use.
    std::unordered_set<std::int64_t> busy_creators = {};
};

enum class Use : std::uint8_t {
    used,
    unused,         // every process was read, or the kernel counts
    partly_unseen,  // not by the processes that could be read
};

enum class Ours : std::uint8_t { no, managed, registry_gone, registry_not_seen, no_mark };

// Why nobody is thought to have it: of what could be looked at, and what the kernel says when it is
// asked for a lease.
inline constexpr std::string_view kUseNotSeen =
    "No process that may be looked at has it open or mapped; others cannot be seen from here.";
inline constexpr std::string_view kNoUseSeen = "No process has it open or mapped.";

// Whether a program that starts anew can come to it.
enum class Findable : std::uint8_t {
    never,  // made for one run: a private number, a name that is never made again
    by_key,
    by_name,
    meant_to_stay,
};

enum class Age : std::uint8_t { young, recent, settled, long_ago, not_told };

struct Evidence {
    Use use = Use::partly_unseen;
    Ours ours = Ours::no;
    Findable findable = Findable::by_name;
    bool creator_known = false;  // by the kernel, or by a known program's name
    Life creator = Life::not_told;
    // The creator is known by a name, and containers that cannot be seen may share the files.
    bool number_may_be_foreign = false;
    // A number in an unknown name is that of a process that could have made it.
    bool name_has_living_number = false;
    Habit habit = Habit::unknown;       // of the program whose name it bears
    Answer program = Answer::not_told;  // whether that runs, of its owner
    bool program_partly_seen = false;   // some processes could only be told by their names
    bool root_runs_program = false;     // and may have made it for its owner
    bool has_tracker = false;           // Python's, of its owner
    Answer knower = Answer::not_told;   // a process lives that may use it, and so may know of it
    Answer owner = Answer::not_told;    // a process of the owner's lives
    bool passed_on = false;             // System V: somebody else than its creator used it last
    bool last_user_lives = false;       // System V, or cannot be seen
    bool system_v = false;
    bool sibling_used = false;      // another segment of its creator is in use
    Age age = Age::not_told;        // since it was made or touched, whatever was later
    bool has_unseen_names = false;  // a file has more names than were found
    bool is_mounted = false;        // a file, at another place as well
    bool own_namespace = true;
    bool outermost = true, all_listed = true;
    // Why, in the order in which a reader wants it.
    std::vector<std::string> sentences;
};

// Fills in `segment`'s program and creator.
Evidence weigh(HostSegment& segment, const Setting& setting);

}  // namespace snakepit::shm::survey
