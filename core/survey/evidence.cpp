// SPDX-License-Identifier: MIT
#include "survey/evidence.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "survey/history.h"
#include "survey/weighing.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::int64_t kYoung = 60 * kMicrosPerSecond;
constexpr std::int64_t kRecent = 600 * kMicrosPerSecond;
constexpr std::int64_t kLongAgo = 24 * 3600 * kMicrosPerSecond;

Ours ours_by(const Registry* registry) {
    if (!registry) return Ours::no_mark;
    switch (registry->state) {
        case Registry::State::managed:
        case Registry::State::stands:
            return Ours::managed;
        case Registry::State::not_seen:
            return Ours::registry_not_seen;
        case Registry::State::gone:
            break;
    }
    return Ours::registry_gone;
}

Age age_of(std::int64_t micros) {
    return micros < kYoung     ? Age::young
           : micros < kRecent  ? Age::recent
           : micros < kLongAgo ? Age::settled
                               : Age::long_ago;
}

}  // namespace

Evidence Weighing::run() {
    out_.system_v = system_v();
    out_.own_namespace = segment_.name_space == 0;
    out_.outermost = setting_.outermost;
    out_.all_listed = setting_.all_listed;
    segment_.users_complete = everything_was_seen();
    recognise_program();
    take_recorded_maker();
    ask_for_creator();
    if (belongs_to_us() || is_used()) return std::move(out_);
    ask_whether_it_can_be_found();
    ask_for_program();
    ask_for_history();
    if (!out_.creator_known) look_for_numbers();
    ask_who_may_know_it();
    tell_times();
    return std::move(out_);
}

void Weighing::recognise_program() {
    const auto found = recognise(segment_.kind, segment_.label);
    known_ = found.known;
    if (known_) {
        segment_.program = known_->program;
        if (has_another_name()) {
            known_ = nullptr;
            return;
        }
        out_.habit = known_->habit;
        // In another namespace it is a pid of that namespace.
        if (found.creator > 0 && out_.own_namespace && segment_.creator.pid == 0)
            segment_.creator = {found.creator, SegmentCreator::KnownBy::name, {}, {}, {}};
        return;
    }
    for (const auto& user : segment_.users) {
        segment_.program = program_of(software_of_executable(user.program));
        if (!segment_.program.empty()) return;
    }
}

// A program with names for a single run gives each file one name.
bool Weighing::has_another_name() {
    constexpr std::string_view kHere = "./";
    if (segment_.names.size() < 2 || !out_.own_namespace) return false;
    for (std::string_view name : segment_.names) {
        if (name.starts_with(kHere)) name.remove_prefix(kHere.size());
        if (recognise(segment_.kind, name).known == known_) continue;
        say("It has another name as well, {}, which may have been made to keep it.", name);
        return true;
    }
    return false;
}

// It stays the kernel's word who made it, where the kernel keeps that.
void Weighing::take_recorded_maker() {
    if (!origin_ || !origin_->maker) return;
    const auto& maker = *origin_->maker;
    segment_.creator = {maker.pid,
                        SegmentCreator::KnownBy::origin_log,
                        {},
                        maker.program,
                        maker.cgroup.substr(maker.cgroup.rfind('/') + 1)};
}

void Weighing::ask_for_creator() {
    auto& creator = segment_.creator;
    if (creator.pid <= 0) return;
    out_.creator_known = true;
    const auto process = setting_.processes.find(creator.pid);
    creator.life = process.life;
    const bool by_name = creator.known_by == SegmentCreator::KnownBy::name;
    const bool recorded = creator.known_by == SegmentCreator::KnownBy::origin_log;
    if (recorded) creator.life = life_of(*origin_->maker, setting_.processes);
    // The kernel reports pids, but a program's name may contain a thread id.
    if (process.process != 0 && !by_name) creator.life = Life::gone;
    if (creator.life != Life::lives && by_name) {
        const auto inside = setting_.processes.find_in_containers(segment_.device, creator.pid);
        if (inside.answer == Answer::yes) {
            creator.life = Life::lives;
            creator.program = inside.name;
            say("Process {} of a container ({}, {} here) may have made it: the container shares "
                "these files, and the number is in the segment's name.",
                creator.pid, inside.name, inside.pid);
            out_.creator = Life::lives;
            return;
        }
        if (inside.answer == Answer::not_told) creator.life = Life::not_told;
    }
    out_.creator = creator.life;
    out_.sibling_used = creator.life == Life::gone && setting_.busy_creators.contains(creator.pid);
    out_.number_may_be_foreign = by_name && !everything_was_seen();
    if (recorded && creator.life != Life::lives)
        out_.sentences.push_back(maker_sentence(*origin_->maker, creator.life, setting_.now));
    else
        tell_creator(process);
}

void Weighing::tell_creator(const ProcessFacts& process) {
    auto& creator = segment_.creator;
    const auto* source =
        creator.known_by == SegmentCreator::KnownBy::name ? "the number is in the segment's name"
        : creator.known_by == SegmentCreator::KnownBy::origin_log ? "recorded by the origin log"
                                                                  : "recorded by the kernel";
    switch (creator.life) {
        case Life::lives:
            creator.program = process.name;
            say("Its creator, process {} ({}), is running ({}).", creator.pid, process.name,
                source);
            break;
        case Life::gone:
            say("Its creator, process {}, has exited ({}).", creator.pid, source);
            break;
        case Life::not_told:
            say("It is not known whether its creator, process {}, is running ({}).", creator.pid,
                source);
            break;
    }
}

bool Weighing::belongs_to_us() {
    if (system_v()) return false;
    constexpr std::string_view kMemfd = "memfd:";
    std::string_view name = segment_.label;
    if (segment_.kind == SegmentKind::memfd)
        name.remove_prefix(std::min(kMemfd.size(), name.size()));
    if (const auto slash = name.rfind('/'); slash != name.npos) name.remove_prefix(slash + 1);
    const auto own = our_name(name);
    if (!own) return false;
    segment_.program = "Snakepit SHM";
    // The mark of its own registry is more significant than another manager with that name.
    auto known = setting_.instances.find(own->instance + "@" + own->tag);
    if (known == setting_.instances.end()) known = setting_.instances.find(own->instance);
    const auto* registry = known == setting_.instances.end() ? nullptr : &known->second;
    out_.ours = ours_by(registry);
    if (out_.ours == Ours::registry_not_seen) segment_.users_complete = false;
    auto account = account_of(*own, registry, segment_.user);
    out_.sentences.push_back(std::move(account.finding));
    segment_.advice = std::move(account.advice);
    return true;
}

bool Weighing::is_used() {
    const bool nameless = segment_.kind == SegmentKind::memfd || segment_.unlinked;
    if (segment_.users.empty() && segment_.attached == 0 && !nameless && !segment_.removed) {
        const bool counted = system_v();
        const bool processes_seen = segment_.users_complete;
        const auto unseen = counted ? std::string() : setting_.system.use_without_process(segment_);
        if (!unseen.empty()) segment_.users_complete = false;
        out_.use = counted || segment_.users_complete ? Use::unused : Use::partly_unseen;
        if (counted)
            say("No process has it attached (counted by the kernel).");
        else
            out_.sentences.emplace_back(processes_seen ? kNoUseSeen : kUseNotSeen);
        if (!unseen.empty()) say("The kernel may use it although no process has it: {}.", unseen);
        return false;
    }
    out_.use = Use::used;
    tell_users();
    return true;
}

void Weighing::tell_users() {
    const auto having = [this](UseKind how) {
        return static_cast<std::uint64_t>(std::count_if(
            segment_.users.begin(), segment_.users.end(),
            [how](const SegmentUser& user) { return user.pid != 0 && user.how == how; }));
    };
    for (const auto& user : segment_.users)
        if (user.pid == 0) say("The kernel uses it ({}).", user.program);
    if (const auto count = having(UseKind::maps); count > 0)
        say("{} it mapped.",
            count == 1 ? "A process has" : fmt::format("{} processes have", count));
    if (const auto count = having(UseKind::open); count > 0)
        say("{} it open.", count == 1 ? "A process has" : fmt::format("{} processes have", count));
    if (segment_.attached > 0)
        say("It is attached {} (counted by the kernel){}.", pluralize(segment_.attached, "time"),
            segment_.users.empty() ? ", by processes that are not visible here" : "");
    if (segment_.removed)
        say("It is already removed: the kernel frees it when the last process detaches it.");
    if (segment_.kind == SegmentKind::memfd)
        say("It has no name: the kernel frees it when the last process closes it.");
    if (segment_.unlinked)
        say("Its name was removed: the kernel frees it when the last process closes it.");
}

void Weighing::ask_for_program() {
    if (!known_ || known_->software == 0 || !out_.own_namespace) return;
    const auto found = setting_.processes.find_software(segment_.uid, known_->software);
    out_.program = found.answer;
    out_.program_partly_seen = found.partly;
    switch (found.answer) {
        case Answer::yes:
            say("{} is running for this user (process {}, {}).", known_->program, found.pid,
                found.name);
            break;
        case Answer::no:
            say("No {}process of {} is running for this user.", found.partly ? "visible " : "",
                known_->program);
            out_.root_runs_program = found.pid != 0;
            if (out_.root_runs_program)
                say("It is running for root (process {}, {}), which may have made the segment for "
                    "this user.",
                    found.pid, found.name);
            break;
        case Answer::not_told:
            say("Whether {} is running for this user cannot be seen from here.", known_->program);
            break;
    }
    if (known_->habit != Habit::python || found.answer == Answer::no) return;
    const auto tracker =
        setting_.processes.find_software(segment_.uid, set_of(Software::python_tracker));
    out_.has_tracker = tracker.answer != Answer::no;
    if (tracker.answer == Answer::yes)
        say("A Python resource tracker (process {}) is running for this user: it removes the "
            "segment when its programs end.",
            tracker.pid);
    else if (tracker.answer == Answer::no)
        say("No Python resource tracker is running for this user; the segment's creator would have "
            "one.");
}

void Weighing::ask_for_history() {
    if (!origin_) return;
    auto found = weigh_history(segment_, *origin_, known_, setting_);
    out_.history = found.history;
    out_.recorded_user_lives = found.user_lives;
    out_.made_for_one_run = found.for_one_run;
    for (auto& sentence : found.sentences) out_.sentences.push_back(std::move(sentence));
}

void Weighing::tell_times() {
    // The boot clock cannot be set.
    const auto recorded = out_.history == History::closed
                              ? setting_.boot_now - origin_->last_event_boot
                              : std::numeric_limits<std::int64_t>::max();
    if (out_.history == History::closed) out_.age = age_of(recorded);
    const auto last = std::max(segment_.created, segment_.touched);
    if (setting_.stepped) {
        say("The clock was set since the system started, so its age is not known.");
        return;
    }
    if (last.micros == 0) return;
    const auto since = [this](Timestamp time) {
        return format_duration(std::max<std::int64_t>(0, setting_.now.micros - time.micros) / 1000);
    };
    // The kernel records attaching and detaching, but not each read of a file (relatime), nor any
    // use of a mapping. A recorded time proves use at that time, and no disuse after it.
    if (system_v())
        say("It was last attached, detached or changed {} ago.", since(segment_.touched));
    else if (segment_.created.micros > 0)
        say("It was created {} ago, and the last recorded use was {} ago; not every use is "
            "recorded.",
            since(segment_.created), since(segment_.touched));
    else
        say("Its last recorded use was {} ago; not every use is recorded.",
            since(segment_.touched));
    out_.age = age_of(std::min(setting_.now.micros - last.micros, recorded));
    if (out_.age == Age::young) say("That is too recent to be sure.");
}

Evidence weigh(HostSegment& segment, const Setting& setting, const Origin* origin) {
    return Weighing(segment, setting, origin).run();
}

}  // namespace snakepit::shm::survey
