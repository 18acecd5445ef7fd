// SPDX-License-Identifier: MIT
// Evaluates the facts about one segment, question by question. Makes system calls only through
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
#include "survey/system_view.h"

namespace snakepit::shm::survey {

// The facts common to all segments of one survey.
struct Setting {
    Timestamp now;
    std::int64_t boot_now = 0;  // microseconds of the boot clock
    const ProcessView& processes;
    const SystemView& system;
    const Instances& instances;
    bool complete = true;    // every listed process could be inspected
    bool outermost = true;   // no process is outside our view, and user ids are the system's
    bool all_listed = true;  // every process can be found by its pid
    // The wall clock was certainly set since the system started, so ages are meaningless.
    bool stepped = false;
    // Mount points of individually mounted files, by device and inode.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> mounted = {};
    // Creators with at least one segment in use.
    std::unordered_set<std::int64_t> busy_creators = {};
};

enum class Use : std::uint8_t {
    used,
    unused,         // every process was read, or the kernel counts
    partly_unseen,  // not by the readable processes
};

enum class Ours : std::uint8_t { no, managed, registry_gone, registry_not_seen, no_mark };

// Evidence that no process has it: from the inspected processes, and from the kernel's answer to a
// lease request.
inline constexpr std::string_view kUseNotSeen =
    "No visible process has it open or mapped; some processes are not visible here.";
inline constexpr std::string_view kNoUseSeen = "No process has it open or mapped.";

// Whether a program that starts again can find the segment.
enum class Findable : std::uint8_t {
    never,  // made for one run: a private id, a name that is never reused
    by_key,
    by_name,
    meant_to_stay,
};

// Who used it, by its origin.
enum class History : std::uint8_t {
    not_told,  // nothing is recorded, or not everything
    open,      // a process that used it is left, or others of its control group
    closed,    // all who ever used it have ended, with their control groups or pid namespaces
};

enum class Age : std::uint8_t { young, recent, settled, long_ago, not_told };

struct Evidence {
    Use use = Use::partly_unseen;
    Ours ours = Ours::no;
    Findable findable = Findable::by_name;
    bool creator_known = false;  // by the kernel, or by a known program's name
    Life creator = Life::not_told;
    // The creator is known only by name, and containers that are not visible may share the files.
    bool number_may_be_foreign = false;
    // A number in an unknown name is the pid of a process that could have made it.
    bool name_has_living_number = false;
    Habit habit = Habit::unknown;       // whether the program of its name is running, for any user
    Answer program = Answer::not_told;  // whether that program is running for its owner
    bool program_partly_seen = false;   // some processes are known only by their names
    bool root_runs_program = false;     // and may have created it for its owner
    // System V: a process of root may know the id.
    Answer administrator = Answer::not_told;
    bool has_tracker = false;          // Python's, of its owner
    Answer knower = Answer::not_told;  // a running process is allowed to use it, and so may know it
    Answer owner = Answer::not_told;   // a process of the owner is running
    bool passed_on = false;            // System V: a process other than its creator used it last
    bool last_user_lives = false;      // System V, or not visible
    bool system_v = false;
    History history = History::not_told;
    bool recorded_user_lives = false;  // a process that opened it, by its origin, is running
    // A later run of its program finds it neither by its name or key nor by an id: what is
    // recorded about its maker shows that they were made for one run.
    bool made_for_one_run = false;
    bool sibling_used = false;      // another segment of its creator is in use
    Age age = Age::not_told;        // since it was created or used, whichever is later
    bool has_unseen_names = false;  // the file has more names than were found
    bool is_mounted = false;        // the file is also mounted at another place
    bool own_namespace = true;
    bool outermost = true, all_listed = true;
    // The reasons, the most important first.
    std::vector<std::string> sentences;
};

// Fills in `segment`'s program, creator and advice. `origin`: null: nothing was recorded.
Evidence weigh(HostSegment& segment, const Setting& setting, const Origin* origin = nullptr);

}  // namespace snakepit::shm::survey
