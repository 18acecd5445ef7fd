// SPDX-License-Identifier: MIT
#include "survey/verdict.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/ids.h"
#include "base/units.h"
#include "survey/known_programs.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::int64_t kSecond = 1'000'000;  // microseconds
constexpr std::int64_t kYoung = 60 * kSecond;
constexpr std::int64_t kLongAgo = 24 * 3600 * kSecond;

// Of a verdict, at most, in percent.
constexpr int kOfYoung = 70;
constexpr int kOfPartlySeen = 60;
constexpr int kOfOtherNamespaces = 85;
constexpr int kOfTwoClocks = 85;

constexpr std::size_t kSentences = 5;  // usual number

class Judge {
  public:
    Judge(HostSegment& segment, const Setting& setting) : segment_(segment), setting_(setting) {}

    void run() {
        segment_.evidence.reserve(kSentences);
        recognise_program();
        look_for_creator();
        if (ours() || in_use()) return;
        say("no process maps it or has it open");
        if (segment_.kind == SegmentKind::system_v) {
            judge_system_v();
        } else {
            judge_file();
        }
        tell_times();
        limit();
    }

  private:
    void say(std::string sentence) { segment_.evidence.push_back(std::move(sentence)); }
    void decide(SegmentVerdict verdict, int confidence) {
        segment_.verdict = verdict;
        segment_.confidence = segment_.confidence_if_unused = confidence;
    }
    bool has_time(Timestamp time) const { return time.micros > 0; }
    std::string since(Timestamp time) const {
        return format_duration(std::max<std::int64_t>(0, setting_.now.micros - time.micros) / 1000);
    }

    void recognise_program();
    void look_for_creator();
    bool ours();
    bool in_use();
    void judge_system_v();
    void judge_file();
    bool judge_by_habit();
    void judge_python();
    void judge_by_programs();
    void judge_by_owner();
    bool owner_is_gone();
    // Whether the process started after that moment. Starts are counted from the system's, segments
    // have the wall clock's time: it may have been set in between, so this is never proof.
    bool started_after(Timestamp start, Timestamp moment);
    void tell_times();
    void limit();

    HostSegment& segment_;
    const Setting& setting_;
    const KnownProgram* known_ = nullptr;
    bool pid_from_name_ = false;
    bool two_clocks_ = false;  // the verdict stands on a comparison of them
};

void Judge::recognise_program() {
    const auto found = recognise(segment_.kind, segment_.label);
    known_ = found.known;
    if (known_) {
        segment_.program = known_->program;
        say(fmt::format("{} names its segments like this", known_->program));
        // In another namespace the number is one of that namespace's own.
        if (found.creator > 0 && segment_.name_space == 0 && segment_.creator == 0) {
            segment_.creator = found.creator;
            pid_from_name_ = true;
        }
        return;
    }
    for (const auto& user : segment_.users) {
        segment_.program = program_of_process(user.process);
        if (segment_.program.empty()) continue;
        say(fmt::format("process {} of {} uses it", user.pid, segment_.program));
        return;
    }
}

void Judge::look_for_creator() {
    if (segment_.creator <= 0) return;
    const auto* source = pid_from_name_ ? "its name says" : "the kernel says";
    const auto process = setting_.processes.find(segment_.creator);
    if (!process) {
        segment_.creator_gone = setting_.all_listed;
        say(fmt::format("process {}, which made it as {}, {}", segment_.creator, source,
                        setting_.all_listed ? "is gone" : "cannot be seen"));
        return;
    }
    if (started_after(process->started, segment_.created)) {
        segment_.creator_gone = segment_.creator_reused = true;
        say(
            fmt::format("process {}, which made it as {}, is gone unless the clock was set: {} has "
                        "that number now and started later than the segment was made",
                        segment_.creator, source, process->name));
        return;
    }
    segment_.creator_process = process->name;
    say(fmt::format("process {} ({}), which made it as {}, runs", segment_.creator, process->name,
                    source));
}

bool Judge::ours() {
    std::string_view name = segment_.label;
    if (segment_.kind == SegmentKind::system_v) return false;
    if (segment_.kind == SegmentKind::memfd)
        name.remove_prefix(std::min<std::size_t>(6, name.size()));
    if (const auto slash = name.rfind('/'); slash != name.npos) name.remove_prefix(slash + 1);
    const auto own = our_name(name);
    if (!own) return false;
    segment_.program = "Snakepit SHM";
    // The mark of its own registry says more than another manager of that name.
    auto known = setting_.instances.find(own->instance + "@" + own->tag);
    if (known == setting_.instances.end()) known = setting_.instances.find(own->instance);
    if (known != setting_.instances.end()) {
        const auto& registry = known->second;
        const auto& instance = own->instance;
        if (registry.empty()) {
            say(fmt::format("its name is of instance {}, whose registry is gone", instance));
            decide(SegmentVerdict::ours, 80);
        } else {
            say(fmt::format("instance {}, whose registry is {}, looks after it", instance,
                            registry));
            decide(SegmentVerdict::ours, 99);
        }
        say(
            fmt::format("snakepit-shm cleanup --instance {0} or snakepit-shm serve --instance {0} "
                        "removes what nobody needs",
                        instance));
        return true;
    }
    say("its name is one of ours, and no mark here says which manager made it");
    say("snakepit-shm serve of that instance removes what nobody needs");
    decide(SegmentVerdict::ours, 60);
    return true;
}

bool Judge::in_use() {
    if (segment_.users.empty() && segment_.attached == 0 && segment_.kind != SegmentKind::memfd &&
        !segment_.unlinked)
        return false;
    const auto mapping = std::count_if(segment_.users.begin(), segment_.users.end(),
                                       [](const SegmentUser& user) { return user.maps; });
    if (mapping > 0)
        say(mapping == 1 ? "a process maps it" : fmt::format("{} processes map it", mapping));
    const auto open = static_cast<std::ptrdiff_t>(segment_.users.size()) - mapping;
    if (open > 0)
        say(open == 1 ? "a process has it open" : fmt::format("{} processes have it open", open));
    if (segment_.users.empty())
        say(fmt::format("it is attached {}, by processes that cannot be seen",
                        counted(segment_.attached, "time")));
    if (segment_.kind == SegmentKind::memfd)
        say("it has no name and goes with the last process that holds it");
    if (segment_.unlinked) say("its name is gone: it goes with the last process that holds it");
    decide(SegmentVerdict::in_use, 100);
    return true;
}

// The kernel counts attachments itself: that nobody has it is certain, whatever we may look at.
void Judge::judge_system_v() {
    decide(SegmentVerdict::unknown, 50);
    if (!segment_.creator_gone) return;
    const auto last = setting_.processes.find(segment_.last_user);
    const bool last_lives = segment_.last_user > 0 && segment_.last_user != segment_.creator &&
                            last && !started_after(last->started, segment_.touched);
    if (last_lives) {
        say(
            fmt::format("process {} ({}), the last that had it attached, runs and may attach it "
                        "again",
                        segment_.last_user, last->name));
        return;
    }
    if (segment_.last_user > 0) say("the last process that had it attached is gone as well");
    if (segment_.key == 0) {
        say("it is private: without its key, only those could find it who were told its number");
        decide(SegmentVerdict::left_over, 95);
        return;
    }
    const bool owner_gone = owner_is_gone();
    say("it has a key: a program that is started again may look for it and expect what is in it");
    decide(SegmentVerdict::left_over, owner_gone ? 85 : 75);
}

void Judge::judge_file() {
    decide(SegmentVerdict::unknown, 50);
    if (!setting_.stepped && has_time(segment_.created) && segment_.created < setting_.boot) {
        say("it is older than the last start of the system");
        decide(SegmentVerdict::left_over, 80);
    }
    if (!judge_by_habit()) judge_by_owner();
    if (!setting_.complete || !setting_.outermost || !setting_.all_listed) {
        segment_.users_complete = false;
        say("some processes could not be looked at; one of them may use it");
    }
}

// False: nothing is known of the program that would decide.
bool Judge::judge_by_habit() {
    if (!known_) return false;
    switch (known_->habit) {
        case Habit::its_creator:
            if (!segment_.creator_gone) return segment_.creator > 0;
            say(fmt::format("{} has no use for it without that process", known_->program));
            decide(SegmentVerdict::left_over, 95);
            return true;
        case Habit::python:
            judge_python();
            return true;
        case Habit::its_programs:
            judge_by_programs();
            return true;
        case Habit::stays:
            say(fmt::format("{} keeps it between runs", known_->program));
            decide(SegmentVerdict::kept, 80);
            return true;
        case Habit::unknown:
            return false;
    }
    return false;
}

// Whoever makes such a segment starts a resource tracker beside it, if none was inherited, which
// ends with the last process that has it. Before 3.13 always, since then by default.
void Judge::judge_python() {
    if (segment_.name_space != 0) return;
    const auto python = setting_.processes.python_of_user(segment_.uid);
    const auto runs_since = [this](Timestamp oldest) {
        return has_time(oldest) && !started_after(oldest, segment_.created);
    };
    if (runs_since(python.tracker)) {
        say("a resource tracker of Python's, older than the segment, runs for this user: it would "
            "remove the segment when its programs end");
        decide(SegmentVerdict::unknown, 60);
    } else if (runs_since(python.program)) {
        say("no resource tracker of Python's runs that is as old as the segment, but some program "
            "of this user in Python does");
        decide(SegmentVerdict::left_over, 80);
    } else {
        say("no program of this user in Python, and no resource tracker of one, is as old as the "
            "segment: who made it is gone");
        segment_.creator_gone = true;
        decide(SegmentVerdict::left_over, 95);
    }
}

void Judge::judge_by_programs() {
    if (segment_.name_space != 0) return;
    const auto running = setting_.processes.find_of_user(segment_.uid, known_->process);
    if (running) {
        say(fmt::format("{} runs for this user (process {}) and may come back to it",
                        known_->program, *running));
        decide(SegmentVerdict::kept, 80);
        return;
    }
    segment_.creator_gone = setting_.all_listed;
    say(fmt::format("no process of {} runs for this user", known_->program));
    decide(SegmentVerdict::left_over, 90);
}

// A file of which nothing is known may be one that somebody put there to be kept in memory.
void Judge::judge_by_owner() {
    if (!owner_is_gone() && !segment_.creator_gone) return;
    const bool long_ago =
        has_time(segment_.touched) && setting_.now.micros - segment_.touched.micros > kLongAgo;
    decide(SegmentVerdict::left_over,
           std::max(segment_.verdict == SegmentVerdict::left_over ? segment_.confidence : 0,
                    long_ago ? 85 : 75));
}

// An administrator's processes become other users', so of root nothing follows.
bool Judge::owner_is_gone() {
    if (segment_.uid == 0 || !setting_.all_listed || segment_.name_space != 0 ||
        setting_.processes.user_has_any(segment_.uid))
        return false;
    segment_.creator_gone = true;
    say(fmt::format("its owner {} runs no process any more", segment_.user));
    return true;
}

bool Judge::started_after(Timestamp start, Timestamp moment) {
    if (setting_.stepped || !has_time(moment) || start.micros <= moment.micros + kClockMargin)
        return false;
    two_clocks_ = true;
    return true;
}

void Judge::tell_times() {
    if (setting_.stepped)
        say("the clock was set since the system started: when processes started and when the "
            "segment was made cannot be compared");
    if (has_time(segment_.created)) say(fmt::format("it was made {} ago", since(segment_.created)));
    if (has_time(segment_.touched))
        say(fmt::format("it was last touched {} ago", since(segment_.touched)));
}

void Judge::limit() {
    if (segment_.verdict != SegmentVerdict::left_over) return;
    auto at_most = 100;
    const auto born = has_time(segment_.created) ? segment_.created : segment_.touched;
    if (setting_.now.micros - born.micros < kYoung) {
        say("it is too young to be sure");
        at_most = std::min(at_most, kOfYoung);
    }
    const bool partly = !segment_.users_complete;
    if (!setting_.all_listed || (partly && !setting_.outermost))
        at_most = std::min(at_most, kOfPartlySeen);
    if (segment_.name_space != 0) at_most = std::min(at_most, kOfOtherNamespaces);
    if (two_clocks_) {
        say("when processes started and when it was made is known by two clocks, and one of them "
            "can be set");
        at_most = std::min(at_most, kOfTwoClocks);
    }
    if (pid_from_name_ && setting_.foreign_pids) {
        say("containers share these files, and the number in its name may be one of theirs");
        at_most = std::min(at_most, kOfOtherNamespaces);
    }
    segment_.confidence_if_unused = std::min(segment_.confidence, at_most);
    segment_.confidence = std::min(segment_.confidence_if_unused, partly ? kOfPartlySeen : 100);
}

}  // namespace

// snakepit_<instance>_shm_<number>_<16 digits>, snakepit_<instance>_arena_<16 digits>, or a mark,
// .snakepit_<instance>@…. An instance's name may contain any of these words, so it is read from the
// end.
std::optional<OurName> our_name(std::string_view name) {
    if (name.starts_with(".snakepit_") && name.find('@') != name.npos) {
        name.remove_prefix(10);
        const auto at = name.rfind('@');
        auto rest = name.substr(at + 1);
        rest.remove_prefix(std::min(rest.find('-') + 1, rest.size()));
        const bool tagged = rest.size() > 16 && rest[16] == '-';
        return OurName{std::string(name.substr(0, at)),
                       std::string(tagged ? rest.substr(8, 8) : std::string_view())};
    }
    if (!name.starts_with("snakepit_")) return std::nullopt;
    name.remove_prefix(9);
    for (const std::string_view suffix : {"_sealed", "_second"})
        if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
    for (const std::string_view word : {"_shm_", "_arena_"}) {
        const auto at = name.rfind(word);
        if (at == name.npos || at == 0) continue;
        // Behind "_shm_" stands an id, which has that word in itself.
        const auto rest = name.substr(word == "_shm_" ? at + 1 : at + word.size());
        const bool known =
            word == "_shm_"
                ? RegionId::parse(rest).has_value()
                : rest.size() == 16 && rest.find_first_not_of("0123456789abcdef") == rest.npos;
        if (known)
            return OurName{std::string(name.substr(0, at)),
                           std::string(name.substr(name.size() - 16, 8))};
    }
    return std::nullopt;
}

void PythonFacts::count(const ProcessFacts& process) {
    const auto older = [&process](Timestamp& oldest) {
        if (oldest.micros == 0 || process.started < oldest) oldest = process.started;
    };
    if (process.resource_tracker) older(tracker);
    if (process.name.starts_with(kPython)) older(program);
}

void judge(HostSegment& segment, const Setting& setting) {
    Judge(segment, setting).run();
}

}  // namespace snakepit::shm::survey
