// SPDX-License-Identifier: MIT
// Judges a segment by what was seen of it. No system call but through ProcessView.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "survey/host_survey.h"

namespace snakepit::shm::survey {

// System V counts in whole seconds, and processes' starts are known to a hundredth.
inline constexpr std::int64_t kClockMargin = 2'000'000;  // microseconds

inline constexpr std::string_view kPython = "python";  // its programs' names begin so

struct ProcessFacts {
    std::int64_t pid = 0;
    Timestamp started;
    std::string name;
    bool resource_tracker = false;  // of Python's multiprocessing
};

// When the oldest of a user's Python programs, and of their resource trackers, started; 0: none
// runs.
struct PythonFacts {
    Timestamp program, tracker;
    void count(const ProcessFacts& process);
};

// The processes there are. What is asked for is read then, and once.
class ProcessView {
  public:
    virtual ~ProcessView() = default;
    virtual std::optional<ProcessFacts> find(std::int64_t pid) const = 0;
    virtual bool user_has_any(std::uint32_t uid) const = 0;
    // Of root everybody's: its processes become other users'. The name is its beginning.
    virtual std::optional<std::int64_t> find_of_user(std::uint32_t uid,
                                                     std::string_view name) const = 0;
    virtual PythonFacts python_of_user(std::uint32_t uid) const = 0;
};

// What a segment or a mark of ours is called after.
struct OurName {
    std::string instance;
    std::string tag;  // of its registry, 8 digits; empty: of an earlier release's mark
};
std::optional<OurName> our_name(std::string_view name);

// An instance of ours, by name, and by name and tag ("name@12345678"); the value: where its
// registry stands, empty if it stands no more.
using Instances = std::map<std::string, std::string, std::less<>>;

struct Setting {
    Timestamp now, boot;
    const ProcessView& processes;
    const Instances& instances;
    bool complete = true;    // every process that is listed could be looked at
    bool outermost = true;   // none lives outside of what we see
    bool all_listed = true;  // every process is there to be found by its pid
    // Another pid namespace shares our files: a pid in a name may be one of its own.
    bool foreign_pids = false;
    // The wall clock was set since the system started, for certain: when processes started is known
    // by another clock than when segments were made, and nothing follows from the two any more.
    bool stepped = false;
};

// Fills in program, creator, verdict, confidence and evidence.
void judge(HostSegment& segment, const Setting& setting);

}  // namespace snakepit::shm::survey
