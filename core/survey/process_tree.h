// SPDX-License-Identifier: MIT
// Runs a command and determines which segments its processes leave behind. Needs no manager and no
// privileges, and does not affect the command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "survey/host_survey.h"

namespace snakepit::shm {

struct TreeOptions {
    std::vector<std::string> command;  // a program, looked for in PATH, and its arguments
    bool clean = false;                // remove unused segments that the tree left
    // The command gets a user, mount and IPC namespace of its own, with an empty /dev/shm.
    bool isolate = false;
    // Signals that this program ignores but its caller did not: the command must not inherit that.
    std::vector<int> restore_signals;
};

// How a process of the tree used a segment, in order of significance.
enum class TreeUse : std::uint8_t { opened, mapped, attached, created };
std::string_view to_string(TreeUse use);

struct TreeSighting {
    std::int64_t pid = 0;
    std::string program;
    TreeUse how{};
};

struct TreeSegment {
    HostSegment segment;             // its state when the command had ended
    std::vector<TreeSighting> seen;  // processes of the tree that used it
    bool removed = false;
    std::string reason;  // why it was removed or not; for a possible one: why it is uncertain
};

struct TreeProcess {
    std::int64_t pid = 0;
    std::string program;
    std::vector<std::string> uses;  // names of segments
};

// How completely the uses of segments are known. Executing a program with more privileges (setuid)
// ends the kernel's records of a process; from then on it is polled.
enum class Attribution : std::uint8_t {
    isolated,  // no other process could create one
    exact,     // the kernel reported every process, open and mapping
    mappings,  // the kernel reported every process and mapping; opens were polled
    looks,     // processes were polled many times a second: shorter ones may be missing
};
std::string_view to_string(Attribution attribution);

struct TreeReport {
    // The command's exit status; 128 + N when signal N ended it; 126 or 127 with `not_executed`.
    int status = 0;
    int signal = 0;                     // the signal the signal that ended it; 0: it exited
    std::optional<Error> not_executed;  // why the command could not be executed
    std::optional<Error> not_surveyed;  // why the remaining segments are unknown
    Attribution attribution = Attribution::looks;
    std::vector<TreeSegment> left;      // by the tree, for certain
    std::vector<TreeSegment> possible;  // may be older or of other processes; never removed
    std::vector<TreeProcess> running;   // processes of the tree that are still running
    std::vector<std::string> notes;     // what was not visible, and why
};

// Runs the command until it ends, inheriting everything from this process, and then determines what
// it left behind. Does not wait for background processes it started.
//
// A segment belongs to the tree if it was created during the run, and the kernel names a process of
// the tree as its creator or, where the kernel does not report that of files, one was seen using
// it. Names and users prove nothing. With `clean` it is removed if the kernel confirms that no
// process has it, no process of the tree is still running, and no other process was seen using it.
//
// The calling process must have one thread. With `isolate` it is in the command's namespaces
// afterwards. An error if the command could not be started, except if its program cannot be
// executed.
Result<TreeReport> run_tree(const TreeOptions& options);

}  // namespace snakepit::shm
