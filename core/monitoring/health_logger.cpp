// SPDX-License-Identifier: MIT
#include "monitoring/health_logger.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kRegionsNamed = 100;  // of those that are damaged; the others are counted
constexpr std::size_t kArenaRegionsNamed = 8;
constexpr std::uint32_t kClientsPerSecond = 64;
constexpr std::int64_t kDay = 24LL * 3600 * 1'000'000;
constexpr std::size_t kMostResults = 1500;  // a day of one a minute

std::string fault_text(const RegionService& service, std::uint32_t slot) {
    const auto known = service.faults().find(slot);
    return known == service.faults().end()
               ? "found by an earlier manager; its 'damaged' event says what failed"
               : known->second;
}

// A condition of the table that is met.
HealthProblem problem_of(std::string_view name, const std::string& reading) {
    const auto& known = condition(name);
    return {{},
            std::string(known.title),
            fmt::format("{}: {}", known.title, reading),
            std::string(known.remedy),
            {},
            {},
            &known};
}

}  // namespace

void HealthLogger::watch(const OwnershipMark& mark, const RuntimeFiles& files) {
    mark_ = &mark;
    files_ = &files;
}

void HealthLogger::poll_keeper() {
    auto& registry = state_.registry;
    const auto before = std::move(keeping_);
    keeping_ = state_.backend.tend_keeper();
    const auto count = static_cast<std::uint32_t>(keeping_.kept);
    if (!keeping_.keeper.empty() && keeping_.keeper != before.keeper)
        registry.record({.kind = EventKind::keeper_found, .count = count, .text = keeping_.keeper});
    if (keeping_.problem != before.problem && !keeping_.problem.empty())
        registry.record({.kind = EventKind::not_kept,
                         .result = ErrorCode::platform_error,
                         .count = static_cast<std::uint32_t>(keeping_.segments - keeping_.kept),
                         .text = keeping_.problem});
}

void HealthLogger::on_second(std::int64_t at) {
    poll_keeper();
    check_programs();
    const auto scan = service_.health().completed_at;
    if (scan != seen_scan_) (void)check(at);
}

std::vector<HealthProblem> HealthLogger::check(std::int64_t at) {
    seen_scan_ = service_.health().completed_at;
    update(find(), at);
    std::vector<HealthProblem> out;
    for (const auto& [key, problem] : known_) out.push_back(problem);
    std::stable_sort(out.begin(), out.end(), [](const HealthProblem& a, const HealthProblem& b) {
        return a.since < b.since;
    });
    return out;
}

// Programs whose end was not noticed: the server notices all others at once.
void HealthLogger::check_programs() {
    const auto clients = state_.counter.clients();
    if (next_client_ >= clients.size()) next_client_ = 0;
    const auto end = std::min<std::size_t>(clients.size(), next_client_ + kClientsPerSecond);
    for (; next_client_ < end; ++next_client_) {
        const auto& record = state_.grants.record(clients[next_client_]);
        const auto serial = record.serial.load(std::memory_order_relaxed);
        gone_.erase(serial);
        if (record.pid <= 0) continue;  // of a namespace that we do not see into
        const auto process = state_.backend.process(record.pid);
        const bool hidden = !process && process.error().code == ErrorCode::permission_denied;
        if (hidden || (process && record.start_time == 0)) continue;
        if (!process || process->start_time != record.start_time)
            gone_.emplace(serial, fmt::format("{} ({})", record.process, record.pid));
    }
}

HealthLogger::Found HealthLogger::find() {
    Found found;
    find_regions(found);
    for (const auto index : state_.counter.clients()) {
        const auto& record = state_.grants.record(index);
        const auto serial = record.serial.load(std::memory_order_relaxed);
        if (record.hostile != 0)
            found.emplace(
                fmt::format("hostile {}", serial),
                HealthProblem{
                    {},
                    fmt::format("process {} cut its lease page short", record.pid),
                    fmt::format("process {} cut its own lease page short; what it held stays held",
                                record.pid),
                    "end that process"});
        if (const auto gone = gone_.find(serial); gone != gone_.end())
            found.emplace(
                fmt::format("gone {}", serial),
                HealthProblem{
                    {},
                    fmt::format("{} has ended and still holds", gone->second),
                    fmt::format("{} has ended, and something keeps its lease page locked: "
                                "what it held stays held",
                                gone->second),
                    fmt::format("end what fuser names for {}/{:016x}", state_.paths.lease_dir(),
                                record.page)});
    }
    find_recording(found);
    find_room(found);
    find_arenas(found);
    find_files(found);
    return found;
}

void HealthLogger::find_arenas(Found& found) {
    for (const auto& arena : state_.allocator.pool.damaged()) {
        const auto inside = service_.regions_in(arena->id());
        std::string named;
        for (const auto slot : inside) {
            if (named.size() >= kArenaRegionsNamed * RegionId().str().size()) break;
            named += (named.empty() ? ": " : ", ") + state_.registry.id(slot).str();
        }
        found.emplace(
            "arena " + arena->name(),
            HealthProblem{
                {},
                fmt::format("an arena: {}", arena->fault->what),
                fmt::format("arena {}: {}; {} in it{}", arena->name(), arena->fault->what,
                            pluralize(inside.size(), "region is", "regions are"), named),
                "idle regions are moved to another arena: let programs release what "
                "they hold, deallocate what is damaged, and check which program cleans the "
                "shared-memory directory"});
    }
}

void HealthLogger::find_files(Found& found) {
    if (!files_) return;
    for (const auto& fault : files_->faults()) {
        const auto name = fault.path.substr(fault.path.find_last_of('/') + 1);
        found.emplace("file " + name, HealthProblem{{},
                                                    fmt::format("{} {}", name, fault.what),
                                                    fmt::format("{} {}: {}", fault.path, fault.what,
                                                                fault.consequence),
                                                    fault.remedy});
    }
}

void HealthLogger::find_regions(Found& found) {
    for (const auto& [slot, error] : service_.stuck())
        found.emplace("stuck " + error.region_id,
                      HealthProblem{{},
                                    fmt::format("cannot be freed: {}", error.message),
                                    fmt::format("region {} cannot be freed: {}", error.region_id,
                                                error.message),
                                    error.remedy,
                                    state_.registry.id(slot)});
    auto damaged = service_.health().damaged;
    for (const auto& [slot, fault] : service_.faults()) damaged.push_back(slot);
    std::sort(damaged.begin(), damaged.end());
    damaged.erase(std::unique(damaged.begin(), damaged.end()), damaged.end());
    auto& registry = state_.registry;
    std::erase_if(damaged, [&](std::uint32_t slot) { return !registry.control(slot).damaged; });
    for (std::size_t i = 0; i < std::min(damaged.size(), kRegionsNamed); ++i) {
        const auto id = registry.id(damaged[i]);
        const auto fault = fault_text(service_, damaged[i]);
        found.emplace(
            "damaged " + id.str(),
            HealthProblem{
                {},
                "damaged: " + fault,
                fmt::format("region {} is damaged: {}", id.str(), fault),
                fmt::format("save what you need, then 'snakepit-shm deallocate {}'", id.str()),
                id,
                {},
                &condition("damaged-regions")});
    }
    if (damaged.size() > kRegionsNamed)
        found.emplace("damaged more", HealthProblem{{},
                                                    "many more regions are damaged",
                                                    fmt::format("{} more regions are damaged",
                                                                damaged.size() - kRegionsNamed),
                                                    "snakepit-shm list state:damaged names them",
                                                    {},
                                                    {},
                                                    &condition("damaged-regions")});
}

void HealthLogger::find_recording(Found& found) {
    const auto add = [&](const char* key, std::string brief, std::string what, std::string remedy) {
        found.emplace(key, HealthProblem{{}, std::move(brief), std::move(what), std::move(remedy)});
    };
    const auto recorder = recorder_.state();
    if (recorder.failing())
        found.emplace("recorder",
                      problem_of("recorder-down", fmt::format("{}; {}", recorder.problem,
                                                              pluralize(recorder.lag, "event waits",
                                                                        "events wait"))));
    auto& registry = state_.registry;
    if (const auto lost = registry.state().events_lost.load(std::memory_order_relaxed); lost > 0)
        found.emplace("events lost", problem_of("events-lost", pluralize(lost, "event")));
    if (!registry.note().empty())
        add("registry", registry.note(), registry.note(),
            "no action is needed; regions of the old registry appear as stale segments");
    if (!keeping_.problem.empty())
        add("keeper", "memory without a name is not kept",
            fmt::format("{} of {} segments without a name end with the manager: {}",
                        keeping_.segments - keeping_.kept, keeping_.segments, keeping_.problem),
            "do not end the manager before they are kept");
    if (mark_ && !mark_->problem().empty())
        add("mark", "no mark says that our segments have an owner",
            fmt::format("other managers of this name cannot see whose our segments are: {}",
                        mark_->problem()),
            "make room where segments are made; the mark is tried again every second");
}

void HealthLogger::find_room(Found& found) {
    const auto check = [&](const char* key, std::string_view name, auto value,
                           std::string reading) {
        if (condition(name).met(value, known_.contains(key)))
            found.emplace(key, problem_of(name, reading));
    };
    if (const auto room = state_.backend.space()) {
        check("shared memory", "host-shm-full", used_ratio(room->free, room->total),
              fmt::format("{} of {} free", format_size(room->free), format_size(room->total)));
        check("inodes", "host-shm-files", room->free_files,
              fmt::format("{} left", room->free_files));
    }
    std::error_code unknown;
    const auto disk = std::filesystem::space(state_.paths.state_dir, unknown);
    if (!unknown)
        check("state directory", "state-space-full", std::uint64_t{disk.available},
              fmt::format("{} has {} free", state_.paths.state_dir, format_size(disk.available)));
}

std::size_t HealthLogger::problems() const {
    return static_cast<std::size_t>(
        std::count_if(known_.begin(), known_.end(), [](const auto& entry) {
            const auto* known = entry.second.condition;
            return !known || known->metric.empty();
        }));
}

void HealthLogger::update(Found found, std::int64_t at) {
    for (auto& [key, problem] : found) {
        problem.key = key;
        const auto before = known_.find(key);
        problem.since = before == known_.end() ? Timestamp{at} : before->second.since;
        if (before == known_.end()) record(problem, EventKind::health_problem);
    }
    for (const auto& [key, problem] : known_)
        if (!found.contains(key)) record(problem, EventKind::health_mended);
    known_ = std::move(found);
    const auto noted_at = boot_micros();
    history_.push_back({{at}, service_.health().regions, known_.size(), noted_at});
    while (history_.size() > kMostResults || history_.front().noted_at < noted_at - kDay)
        history_.pop_front();
}

void HealthLogger::record(const HealthProblem& problem, EventKind kind) {
    state_.registry.record({.kind = kind, .text = problem.brief, .id = problem.region});
}

}  // namespace snakepit::shm
