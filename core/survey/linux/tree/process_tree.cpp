// SPDX-License-Identifier: MIT
#include "survey/process_tree.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "survey/linux/proc_files.h"
#include "survey/linux/tree/command.h"
#include "survey/linux/tree/own_namespaces.h"
#include "survey/linux/tree/tree_watch.h"

namespace snakepit::shm {

namespace {

using namespace survey;

constexpr std::size_t kMostSightings = 16;  // named for one segment
constexpr int kStragglersMs = 1'000, kStepMs = 10;

// The number in "sysv:7"; -1 for other names.
std::int64_t table_id(const HostSegment& segment) {
    constexpr std::string_view kPrefix = "sysv:";
    std::string_view name(segment.name);
    if (segment.kind != SegmentKind::system_v || !name.starts_with(kPrefix)) return -1;
    name.remove_prefix(kPrefix.size());
    return take_number(name);
}

std::string label_of(const Outsider& process) {
    if (process.pid == 0) return "a process of another pid namespace";
    if (process.program.empty()) return fmt::format("process {}", process.pid);
    return fmt::format("process {} ({})", process.pid, process.program);
}

bool is_too_deep(const HostSegment& segment) {
    return segment.kind == SegmentKind::posix &&
           std::any_of(segment.names.begin(), segment.names.end(), TreeWatch::is_too_deep);
}

bool created_by_tree(const SegmentFacts& facts) {
    return std::any_of(facts.members.begin(), facts.members.end(),
                       [](const auto& user) { return user.second == TreeUse::created; });
}

TreeUse use_of(UseKind how) {
    switch (how) {
        case UseKind::maps:
            return TreeUse::mapped;
        case UseKind::attached:
            return TreeUse::attached;
        case UseKind::open:
            break;
    }
    return TreeUse::opened;
}

// Classifies the segments that a survey found after the command ended.
class Account {
  public:
    Account(const TreeOptions& options, TreeWatch& watch, TreeReport& report)
        : options_(options), watch_(watch), report_(report), living_(watch.members().living()) {}

    Status settle() {
        SHM_ASSIGN(const auto survey, survey_host());
        if (!options_.isolate) watch_.finish();  // the uses during the survey
        for (const auto number : living_) {
            const auto& member = watch_.members().member(number);
            report_.running.push_back({member.pid, member.program, {}});
        }
        for (const auto& segment : survey.segments) {
            tell_uses(segment);
            if (!appeared(segment)) continue;
            const auto facts = facts_of(segment);
            if (!existed_before(segment, facts)) place(segment, facts);
        }
        if (options_.isolate) leave_to_namespace();
        if (options_.clean && !options_.isolate) SHM_TRY(clean());
        const bool stays = std::any_of(report_.left.begin(), report_.left.end(),
                                       [](const auto& item) { return !item.removed; });
        if (survey.unreadable > 0 && stays && !options_.isolate)
            report_.notes.push_back(
                fmt::format("{} of this host cannot be inspected and may use what was left behind",
                            pluralize(survey.unreadable, "process", "processes")));
        return {};
    }

  private:
    void tell_uses(const HostSegment& segment) {
        for (const auto& user : segment.users)
            for (auto& process : report_.running)
                if (process.pid == user.pid) process.uses.push_back(segment.name);
    }

    // Used by the tree or others; unnamed memory ends with its users.
    bool appeared(const HostSegment& segment) const {
        if (segment.kind == SegmentKind::posix)
            return !segment.unlinked && segment.device == watch_.device() &&
                   !watch_.was_there(segment.inode);
        const auto id = table_id(segment);
        return id >= 0 && !segment.removed && !watch_.table_had(id);
    }

    SegmentFacts facts_of(const HostSegment& segment) const {
        const auto* const known = segment.kind == SegmentKind::posix
                                      ? watch_.of_file(segment.inode)
                                      : watch_.of_table(table_id(segment));
        auto facts = known ? *known : SegmentFacts{};
        for (const auto& user : segment.users)
            if (const auto member = watch_.members().at(user.pid); member != 0)
                facts.members.try_emplace(member, use_of(user.how));
        return facts;
    }

    // It was created before the command, where the list of those did not reach. One that got its
    // name meanwhile did appear.
    bool existed_before(const HostSegment& segment, const SegmentFacts& facts) const {
        return segment.kind == SegmentKind::posix && !facts.created && !facts.made_by_other &&
               born(segment) <= watch_.began();
    }

    // The time of the last use is not before its creation.
    static Timestamp born(const HostSegment& segment) {
        return segment.created.micros != 0 ? segment.created : segment.touched;
    }

    void place(const HostSegment& segment, const SegmentFacts& facts) {
        TreeSegment item{.segment = segment};
        for (const auto& [number, use] : facts.members) {
            const auto& member = watch_.members().member(number);
            item.seen.push_back({member.pid, member.program, use});
        }
        std::stable_sort(item.seen.begin(), item.seen.end(),
                         [](const auto& left, const auto& right) { return left.how > right.how; });
        if (item.seen.size() > kMostSightings) item.seen.resize(kMostSightings);
        if (!options_.isolate) item.reason = why_uncertain(segment, facts);
        const bool certain = item.reason.empty();
        if (certain) item.reason = why_it_stays(segment, facts);
        (certain ? report_.left : report_.possible).push_back(std::move(item));
    }

    // Empty: the tree created it, as far as the kernel reports that.
    std::string why_uncertain(const HostSegment& segment, const SegmentFacts& facts) const {
        if (facts.made_by_other)
            return fmt::format("created by {}, which does not belong to the command",
                               label_of(facts.maker));
        if (facts.members.empty()) return "no process of the command was seen using it";
        const bool created = created_by_tree(facts);
        if (segment.kind == SegmentKind::system_v)
            return created ? "" : "no process of the command was seen creating it";
        if (born(segment) <= watch_.began()) return "it existed before the command started";
        if (is_too_deep(segment))
            return "it may have existed before the command started: its directory is too deep";
        if (watch_.knows_file_creators() && watch_.knows_members() && !created)
            return "no process of the command was seen creating it";
        return {};
    }

    // Empty: it can be removed.
    std::string why_it_stays(const HostSegment& segment, const SegmentFacts& facts) {
        if (!segment.users.empty() || segment.attached > 0) return "it is in use";
        auto& members = watch_.members();
        if (facts.used_by_other)
            return fmt::format("{}, which does not belong to the command, used it and may need it",
                               label_of(facts.user));
        if (segment.last_user > 0 && is_running(segment.last_user) &&
            members.find(segment.last_user) == 0)
            return fmt::format(
                "process {}, which does not belong to the command, attached it last and is running",
                segment.last_user);
        if (segment.kind == SegmentKind::posix && watch_.may_have_other_users(facts))
            return "another process may have used it: the kernel tells only root which one did";
        if (watch_.knows_file_creators() && !created_by_tree(facts))
            return "it is not known which process created it";
        for (const auto number : living_) {
            const auto may_know = [&](const auto& user) {
                return members.may_descend(number, user.first);
            };
            if (std::any_of(facts.members.begin(), facts.members.end(), may_know))
                return fmt::format(
                    "process {} ({}) of the command still runs and may come back to it",
                    members.member(number).pid, members.member(number).program);
        }
        if (living_.empty()) return {};
        const auto& first = members.member(living_.front());
        return fmt::format("process {} ({}) of the command is still running and may open it",
                           first.pid, first.program);
    }

    void leave_to_namespace() {
        for (auto& item : report_.left) {
            item.removed = living_.empty();
            item.reason = living_.empty() ? "it is freed with the command's namespace"
                                          : "it is freed when the remaining processes have exited";
        }
    }

    Status clean() {
        // If a process of the tree created it, `force` is safe: all of them have ended, and no
        // other process was seen using it.
        std::vector<HostSegment> of_known, others;
        for (const auto& item : report_.left)
            if (item.reason.empty())
                (item.seen.front().how == TreeUse::created ? of_known : others)
                    .push_back(item.segment);
        SHM_TRY(clean(of_known, {.force = true}));
        return clean(others, {});
    }

    Status clean(const std::vector<HostSegment>& segments, const CleanOptions& how) {
        if (segments.empty()) return {};
        SHM_ASSIGN(const auto done, clean_segments(segments, how));
        for (const auto& cleaned : done)
            for (auto& item : report_.left) {
                if (item.segment.name != cleaned.segment.name) continue;
                item.removed = cleaned.removed;
                item.reason =
                    cleaned.removed ? "the kernel confirms that no process has it" : cleaned.reason;
            }
        return {};
    }

    const TreeOptions& options_;
    TreeWatch& watch_;
    TreeReport& report_;
    std::vector<std::uint64_t> living_;
};

void wait_for_end(Command& command, TreeWatch& watch) {
    while (!command.ended()) {
        std::vector<pollfd> ready{{command.descriptor(), POLLIN, 0}};
        for (const int descriptor : watch.descriptors()) ready.push_back({descriptor, POLLIN, 0});
        (void)::poll(ready.data(), ready.size(), watch.timeout_ms());
        if (std::any_of(ready.begin(), ready.end(),
                        [](const pollfd& each) { return (each.revents & ~POLLIN) != 0; }))
            watch.on_hang_up();
        command.on_signal([&](std::int64_t pid) { return watch.members().at(pid) != 0; });
        watch.wake();
    }
}

// Helpers end shortly after their program, and some then clean up, such as Python's resource
// tracker. A process in its own session is meant to stay.
void wait_for_stragglers(TreeWatch& watch) {
    const auto own_session = ::getsid(0);
    for (int waited = 0; waited < kStragglersMs && watch.found_any(); waited += kStepMs) {
        const auto living = watch.members().living();
        const auto straggles = [&](std::uint64_t number) {
            return ::getsid(static_cast<pid_t>(watch.members().member(number).pid)) == own_session;
        };
        if (std::none_of(living.begin(), living.end(), straggles)) return;
        (void)::poll(nullptr, 0, kStepMs);
        watch.finish();
    }
}

Status account(const TreeOptions& options, const OwnNamespaces* namespaces, TreeWatch& watch,
               TreeReport& report) {
    if (namespaces) {
        SHM_TRY(namespaces->enter());
        watch.read_table();
    }
    return Account(options, watch, report).settle();
}

}  // namespace

Result<TreeReport> run_tree(const TreeOptions& options) {
    TreeReport report;
    std::optional<OwnNamespaces> namespaces;
    std::optional<TreeWatch> watch;
    {
        SHM_ASSIGN(auto command, Command::start(options));
        SHM_TRY(command.prepare([&] { return map_users(command.pid()); }));
        Handle shm;
        if (options.isolate) {
            SHM_ASSIGN(namespaces, OwnNamespaces::of(command.pid()));
            shm = namespaces->shm().duplicate();
        } else {
            shm = Handle(::open(kSharedMemory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        }
        if (!shm) return fail(system_error(errno, fmt::format("cannot access {}", kSharedMemory)));
        SHM_ASSIGN(watch, TreeWatch::begin(command.pid(), command.probe(), shm, !options.isolate));
        report.not_executed = command.release(options.command.front());
        wait_for_end(command, *watch);
        const int status = *command.ended();
        report.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        report.status = report.signal != 0 ? 128 + report.signal : WEXITSTATUS(status);
    }
    watch->finish();
    if (!report.not_executed) wait_for_stragglers(*watch);
    report.attribution = watch->attribution();
    report.notes = watch->notes();
    if (report.not_executed) return report;
    if (const auto done = account(options, namespaces ? &*namespaces : nullptr, *watch, report);
        !done)
        report.not_surveyed = done.error();
    return report;
}

}  // namespace snakepit::shm
