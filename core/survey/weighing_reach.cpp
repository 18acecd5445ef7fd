// SPDX-License-Identifier: MIT
// Who could find a segment again, and who may know it.
#include "base/pluralize.h"
#include "survey/weighing.h"

namespace snakepit::shm::survey {

void Weighing::ask_whether_it_can_be_found() {
    out_.has_unseen_names = segment_.links > segment_.names.size();
    if (out_.has_unseen_names)
        say("It has {} not visible here.",
            pluralize(segment_.links - segment_.names.size(), "more name"));
    const auto mount = setting_.mounted.find({segment_.device, segment_.inode});
    out_.is_mounted = !system_v() && mount != setting_.mounted.end();
    if (out_.is_mounted) say("It is also mounted at {}.", mount->second);
    if (system_v()) {
        out_.findable = segment_.key == 0 ? Findable::never : Findable::by_key;
        if (segment_.key == 0)
            say("It is private (no key): only a program that knows its id can find it.");
        else
            say("It has a key: a program that starts again may look for it and expect its "
                "contents.");
        ask_whether_it_was_passed_on();
        return;
    }
    if (!known_) return;
    switch (known_->habit) {
        case Habit::its_creator:
        case Habit::its_programs:
        case Habit::python:
            out_.findable = Findable::never;
            say("{} uses such a name for one run only, but other programs can choose such a name "
                "too.",
                known_->program);
            break;
        case Habit::its_programs_again:
            say("{} reuses such names.", known_->program);
            break;
        case Habit::its_programs_anew:
            say("{} reuses such names, and discards what an earlier run left.", known_->program);
            break;
        case Habit::stays:
            out_.findable = Findable::meant_to_stay;
            say("{} keeps it between runs.", known_->program);
            break;
        case Habit::unknown:
            say("{} names its segments like this.", known_->program);
            break;
    }
}

void Weighing::ask_whether_it_was_passed_on() {
    if (segment_.last_user <= 0 || segment_.last_user == segment_.creator.pid) return;
    out_.passed_on = true;
    const auto last = setting_.processes.find(segment_.last_user);
    const bool lives = last.life == Life::lives && last.process == 0;
    out_.last_user_lives = lives || last.life == Life::not_told;
    if (lives) {
        say("Process {} ({}), the last one that attached it, is running.", segment_.last_user,
            last.name);
    } else {
        say("A process other than its creator attached it last: process {}, which {}.",
            segment_.last_user, last.life == Life::not_told ? "is not visible here" : "has exited");
    }
}

// The name of a process that could have created it; empty if there is none.
std::string Weighing::living(std::int64_t pid) const {
    const auto process = setting_.processes.find(pid);
    return process.life == Life::lives && !process.kernel ? process.name : std::string();
}

// A rule for unknown names: many contain the pid of their creator.
void Weighing::look_for_numbers() {
    if (system_v() || (known_ && known_->habit != Habit::unknown)) return;
    for (const auto number : numbers_in(segment_.label)) {
        auto name = setting_.processes.is_listed(number) ? living(number) : std::string();
        if (name.empty())
            name = setting_.processes.find_in_containers(segment_.device, number).name;
        if (name.empty()) continue;
        out_.name_has_living_number = true;
        say("The number {} in its name is that of a running process ({}), which may have made it.",
            number, name);
        return;
    }
}

void Weighing::ask_who_may_know_it() {
    const auto owner = setting_.processes.anyone({{segment_.uid}, {}, false});
    out_.owner = owner.answer;
    if (owner.answer == Answer::no) say("Its owner {} has no running process.", segment_.user);
    const auto access = access_of(segment_);
    const bool only_owner = !access.everybody && access.groups.empty() && access.users.size() == 1;
    const auto knower = only_owner ? owner : setting_.processes.anyone(access);
    out_.knower = knower.answer;
    if (knower.answer == Answer::yes && out_.findable == Findable::never)
        say("Its owner and mode let other running programs use it, and one of them may know of "
            "it: process {}{}, for one.",
            knower.pid, knower.name.empty() ? "" : fmt::format(" ({})", knower.name));
    if (knower.answer == Answer::no && may_have_other_ids(access)) out_.knower = Answer::not_told;
    if (out_.knower == Answer::no && system_v() && out_.findable == Findable::never)
        ask_for_administrator();
}

// An id of today's processes does not exclude a program that uses the segment with another one.
bool Weighing::may_have_other_ids(const Access& access) {
    const auto other = system_v() ? std::string() : setting_.system.other_ids(segment_.device);
    if (!other.empty()) say("Its owner and mode do not tell who may use it: {}.", other);
    const auto later = setting_.system.later_ids(access);
    if (!later.empty()) say("A process may still become its owner or group: {}.", later);
    return !other.empty() || !later.empty();
}

// Any process can be told an id, and root may attach every segment.
void Weighing::ask_for_administrator() {
    const auto found = setting_.processes.find_administrator();
    out_.administrator = found.answer;
    const auto label = found.name.empty() ? fmt::format("process {}", found.pid)
                                          : fmt::format("process {} ({})", found.pid, found.name);
    if (found.answer == Answer::yes)
        say("A program of root may know its id, and root may attach every segment: {}.", label);
    else if (found.answer == Answer::not_told)
        say("Whether a program of root knows its id is not visible here.");
}

}  // namespace snakepit::shm::survey
