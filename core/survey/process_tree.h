// SPDX-License-Identifier: MIT
// Runs a command and finds out which segments its processes leave. Needs no manager and no
// privileges; the command notices nothing.
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
    bool clean = false;                // remove what the tree left and nobody has
    // The command gets a user, mount and IPC namespace of its own, with an empty /dev/shm.
    bool isolate = false;
    // Signals that this program ignores although its caller did not: the command must not inherit
    // that.
    std::vector<int> restore_signals;
};

// What a process of the tree did with a segment. A later one says more than an earlier one.
enum class TreeUse : std::uint8_t { opened, mapped, attached, created };
std::string_view to_string(TreeUse use);

struct TreeSighting {
    std::int64_t pid = 0;
    std::string program;
    TreeUse how{};
};

struct TreeSegment {
    HostSegment segment;             // as it was found when the command had ended
    std::vector<TreeSighting> seen;  // processes of the tree that had it
    bool removed = false;
    std::string
        reason;  // why it was removed or not; of a possible one: why it is no more than that
};

struct TreeProcess {
    std::int64_t pid = 0;
    std::string program;
    std::vector<std::string> uses;  // names of segments
};

// How completely the uses of segments are known. Who runs a program with more rights (setuid)
// takes it out of the kernel's records; it is looked at from then on.
enum class Attribution : std::uint8_t {
    isolated,  // nobody else could make one
    exact,     // the kernel reported every process, open and mapping
    mappings,  // the kernel reported every process and mapping; opens were looked for
    looks,     // processes were looked at many times a second: one that lived shorter can be missed
};
std::string_view to_string(Attribution attribution);

struct TreeReport {
    // The command's exit status; 128 + N when signal N ended it; 126 or 127 with `not_executed`.
    int status = 0;
    int signal = 0;                     // that ended it; 0: it exited
    std::optional<Error> not_executed;  // why the command could not be executed
    std::optional<Error> not_surveyed;  // why it is not known what was left
    Attribution attribution = Attribution::looks;
    std::vector<TreeSegment> left;      // by the tree, for certain
    std::vector<TreeSegment> possible;  // appeared meanwhile; never removed
    std::vector<TreeProcess> running;   // processes of the tree that still run
    std::vector<std::string> notes;     // what could not be seen, and why
};

// Runs the command to its end, with everything that it inherits from this process, and looks at
// what it left. Processes that it started and that go on are not waited for.
//
// A segment is the tree's when it appeared while the command ran and a process of the tree was seen
// with it open, mapped or attached, or the kernel names one as its creator. Names and users prove
// nothing. With `clean` it goes when the kernel grants that nobody has it and no process lives on
// that used it or descends from one that did.
//
// The calling process must have one thread. With `isolate` it is in the command's namespaces
// afterwards. Fails when the command could not be started for another reason than that its program
// cannot be executed.
Result<TreeReport> run_tree(const TreeOptions& options);

}  // namespace snakepit::shm
