// SPDX-License-Identifier: MIT
#include "survey/history.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "survey/group_names.h"

namespace snakepit::shm::survey {

namespace {

constexpr int kSignal = 0x7F;  // of a status as waitpid(2) has it; 0: it exited by itself

// "03:12:44 UTC"; of another day with the date.
std::string moment_text(Timestamp time, Timestamp now) {
    constexpr std::size_t kDate = 10, kSeconds = 8;
    const auto text = to_rfc3339(time), today = to_rfc3339(now);
    const bool same_day = text.substr(0, kDate) == today.substr(0, kDate);
    return fmt::format("{}{} UTC", same_day ? "" : text.substr(0, kDate) + " ",
                       text.substr(kDate + 1, kSeconds));
}

// Programs that remove a System V segment with their key which an earlier run left.
// postgresql: src/backend/port/sysv_shmem.c, PGSharedMemoryCreate(): SHMSTATE_UNATTACHED
constexpr SoftwareSet kDiscardsOldKeys = set_of(Software::postgresql);

SoftwareSet software_of(const RecordedProcess& process) {
    const std::string_view path(process.executable);
    return software_of_executable(path.substr(path.rfind('/') + 1));
}

// By its executable, or by what its libraries were.
bool is_of(const RecordedProcess& maker, const Origin& origin, const KnownProgram& known) {
    return (software_of(maker) & known.software) != 0 || origin.named_by_program == Answer::yes;
}

// A number of the outermost pid namespace is another one in each run; containers begin with the
// same ones each time.
bool has_number_of(const RecordedProcess& maker, const HostSegment& segment) {
    constexpr std::uint32_t kKeyNumber = 0xFFFFFF;  // the part of a key beside a program's letter
    constexpr std::int64_t kLeast = 300;  // lower numbers belong to what the system starts
    if (maker.pid_namespace != kFirstPidNamespace || maker.pid < kLeast) return false;
    if (segment.kind == SegmentKind::system_v)
        return (static_cast<std::uint32_t>(segment.key) & kKeyNumber) == maker.pid;
    const auto numbers = numbers_in(segment.label);
    return std::find(numbers.begin(), numbers.end(), maker.pid) != numbers.end();
}

bool is_for_one_run(const HostSegment& segment, const Origin& origin, const KnownProgram* known) {
    const auto& maker = *origin.maker;
    if (segment.kind == SegmentKind::system_v)
        return segment.key == 0 || has_number_of(maker, segment) ||
               (software_of(maker) & kDiscardsOldKeys) != 0;
    if (origin.renamed || segment.names.size() > 1) return false;
    if (has_number_of(maker, segment)) return true;
    return known && is_of(maker, origin, *known) &&
           (known->habit == Habit::its_creator || known->habit == Habit::its_programs ||
            known->habit == Habit::its_programs_anew || known->habit == Habit::python);
}

}  // namespace

Life life_of(const RecordedProcess& process, const ProcessView& processes) {
    const auto found = processes.find(process.pid);
    if (found.life != Life::lives) return found.life;
    const bool other =
        found.process != 0 || (found.started != 0 && found.started != process.started);
    return other ? Life::gone : Life::lives;
}

std::string maker_sentence(const RecordedProcess& maker, Life life, Timestamp now) {
    std::string details;
    const auto group = name_of_group(maker.cgroup);
    if (group.kind != GroupKind::root && group.kind != GroupKind::other)
        details += fmt::format(" of {}", group.name);
    if (life == Life::gone && maker.ended.micros != 0) {
        details += fmt::format(", ended {}", moment_text(maker.ended, now));
        if (const auto signal = maker.status.value_or(0) & kSignal; signal != 0)
            details += fmt::format(" by signal {}", signal);
    }
    if (!maker.command.empty()) details += fmt::format("; command: {}", maker.command);
    return fmt::format("It was made by {} (process {}{}){}", maker.program, maker.pid, details,
                       life == Life::gone ? "." : "; it is not known whether that is running.");
}

RecordedHistory weigh_history(const HostSegment& segment, const Origin& origin,
                              const KnownProgram* known, const Setting& setting) {
    RecordedHistory out;
    const auto say = [&out](std::string sentence) { out.sentences.push_back(std::move(sentence)); };
    if (!origin.maker) {
        say(fmt::format("The origin log does not tell who made it: {}.", origin.gap));
        return out;
    }
    out.for_one_run = is_for_one_run(segment, origin, known);
    std::vector<const RecordedProcess*> users{&*origin.maker};
    for (const auto& opener : origin.openers) users.push_back(&opener);
    bool ended = true;
    const RecordedProcess* with_others = nullptr;
    for (const auto* user : users) {
        const auto life = life_of(*user, setting.processes);
        ended = ended && life == Life::gone;
        if (life == Life::lives && user != users.front() && !std::exchange(out.user_lives, true))
            say(
                fmt::format("Process {} ({}), which opened it, is running (recorded by the origin "
                            "log).",
                            user->pid, user->program));
        if (life == Life::gone && !with_others && setting.system.circle_ended(*user) != Answer::yes)
            with_others = user;
    }
    if (!origin.whole) {
        say(fmt::format("The origin log does not tell who else opened it: {}.", origin.gap));
        return out;
    }
    out.history = ended && !with_others ? History::closed : History::open;
    if (out.history == History::closed)
        say(
            fmt::format("Everyone who opened it is recorded: {}. All of them have ended, and so "
                        "have their control groups or pid namespaces.",
                        pluralize(users.size(), "process", "processes")));
    else if (with_others)
        say(fmt::format("Other processes of the control group of process {} ({}) may know it.",
                        with_others->pid, with_others->program));
    return out;
}

}  // namespace snakepit::shm::survey
