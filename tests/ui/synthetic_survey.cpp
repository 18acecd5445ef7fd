// SPDX-License-Identifier: GPL-3.0-or-later
// The host's segments of the synthetic world.
#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "synthetic_monitoring.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kMinute = 60'000'000;

struct Maker {
    const char *program, *process, *name, *user;
    SegmentKind kind;
    std::uint32_t uid;
    SegmentVerdict verdict;
    int confidence;
};
constexpr std::array<Maker, 9> kMakers{{
    {"PostgreSQL", "postgres", "PostgreSQL.{:010d}", "postgres", SegmentKind::posix, 106,
     SegmentVerdict::in_use, 100},
    {"Chromium", "chromium", "org.chromium.{:06x}", "kim", SegmentKind::memfd, 1000,
     SegmentVerdict::in_use, 100},
    {"Python multiprocessing", "python3", "psm_{:08x}", "kim", SegmentKind::posix, 1000,
     SegmentVerdict::left_over, 97},
    {"Snakepit SHM", "tensor_loader", "snakepit_default_shm_{:016x}", "www-data",
     SegmentKind::posix, 33, SegmentVerdict::ours, 100},
    {"", "billing", "sysv:{}", "root", SegmentKind::system_v, 0, SegmentVerdict::left_over, 92},
    {"PyTorch", "python3", "torch_{}_0", "kim", SegmentKind::posix, 1000, SegmentVerdict::in_use,
     100},
    {"PipeWire", "pipewire", "pipewire-memfd-{}", "kim", SegmentKind::memfd, 1000,
     SegmentVerdict::in_use, 100},
    {"", "", "scratch.{:x}", "root", SegmentKind::posix, 0, SegmentVerdict::unknown, 40},
    {"Oracle", "", "sysv:{}", "oracle", SegmentKind::system_v, 54, SegmentVerdict::kept, 80},
}};

void explain(HostSegment& segment, const Maker& maker, std::mt19937_64& random) {
    switch (maker.verdict) {
        case SegmentVerdict::left_over:
            segment.creator.life = Life::gone;
            segment.evidence = {fmt::format("Its creator, process {}, has exited (the number is in "
                                            "the segment's name).",
                                            segment.creator.pid),
                                "No process has it open or mapped.",
                                fmt::format("{} uses such a name for one run only.", maker.program),
                                "It was created 3 h ago and last used 3 h ago."};
            break;
        case SegmentVerdict::unknown:
            segment.evidence = {"No process has it open or mapped.",
                                "It was created 2 h ago and last used 5 min ago."};
            break;
        case SegmentVerdict::kept:
            segment.evidence = {"No process has it attached (counted by the kernel).",
                                "Oracle keeps it between runs."};
            break;
        case SegmentVerdict::ours:
            segment.evidence = {"A manager of instance default is running and manages it."};
            break;
        case SegmentVerdict::in_use:
            segment.evidence = {"A process has it mapped."};
            break;
    }
    const auto users = maker.verdict == SegmentVerdict::in_use ? 1 + random() % 6
                       : maker.verdict == SegmentVerdict::ours ? random() % 3
                                                               : 0;
    for (std::uint64_t i = 0; i < users; ++i)
        segment.users.push_back({segment.creator.pid + static_cast<std::int64_t>(i), maker.uid,
                                 maker.process, random() % 5 != 0 ? UseKind::maps : UseKind::open});
}

HostCleanItem judged(const HostSegment& segment) {
    HostCleanItem item;
    item.segment = segment;
    item.removable = segment.users.empty() && segment.verdict != SegmentVerdict::ours;
    item.reason = item.removable ? "Left over (95 %). Its creator has exited."
                  : segment.verdict == SegmentVerdict::ours
                      ? "an instance of Snakepit SHM manages it"
                      : fmt::format("in use by process {} ({})", segment.users.front().pid,
                                    segment.users.front().program);
    return item;
}

}  // namespace

HostSurvey make_survey(std::size_t segments) {
    HostSurvey survey;
    survey.time = now();
    survey.processes = 212;
    survey.shm_total = 16ULL << 30;
    survey.shm_free = 9'700'000'000;
    std::mt19937_64 random(5);
    for (std::size_t i = 0; i < segments; ++i) {
        const auto& maker = kMakers[i % kMakers.size()];
        HostSegment segment;
        segment.kind = maker.kind;
        segment.name = fmt::format(fmt::runtime(maker.name), 40'000 + i * 7);
        segment.label = segment.name;
        if (maker.kind == SegmentKind::memfd) {
            segment.label = "memfd:" + segment.name;
            segment.name = fmt::format("memfd:1:{}", 9'000 + i);
        }
        segment.program = maker.program;
        segment.user = maker.user;
        segment.uid = maker.uid;
        segment.mode = maker.uid == 0 ? 0644 : 0600;
        segment.size = 1ULL << (13 + random() % 16);
        segment.resident = random() % 5 == 0 ? 0 : segment.size * (random() % 100) / 100;
        segment.inode = 9'000 + i;
        segment.device = 26;
        segment.key = static_cast<std::int64_t>(0x5000 + i);
        if (*maker.process)
            segment.creator = {2'000 + static_cast<std::int64_t>(random() % 9'000),
                               SegmentCreator::KnownBy::name,
                               Life::lives,
                               maker.process,
                               {}};
        segment.names = {segment.name};
        segment.created = {survey.time.micros -
                           static_cast<std::int64_t>(random() % 900) * kMinute};
        segment.touched = {segment.created.micros +
                           (survey.time.micros - segment.created.micros) / 3};
        segment.verdict = maker.verdict;
        segment.confidence = maker.confidence;
        if (i % 31 == 6) segment.name_space = 4026532711, segment.container = "docker 3f9c1d2a77b0";
        explain(segment, maker, random);
        survey.segments.push_back(std::move(segment));
    }
    return survey;
}

void SyntheticSurvey::set_survey(HostSurvey survey) {
    const std::lock_guard lock(mutex_);
    survey_ = std::move(survey);
}

void SyntheticSurvey::use(const std::string& name) {
    const std::lock_guard lock(mutex_);
    for (auto& segment : survey_.segments)
        if (segment.name == name) segment.users.push_back({77, 0, "latecomer", UseKind::maps});
}

void SyntheticSurvey::exchange(const std::string& name) {
    const std::lock_guard lock(mutex_);
    for (auto& segment : survey_.segments)
        if (segment.name == name) segment.inode += 1'000'000;
}

std::vector<std::vector<std::string>> SyntheticSurvey::rehearsals() const {
    const std::lock_guard lock(mutex_);
    return rehearsals_;
}

std::vector<std::vector<std::string>> SyntheticSurvey::runs() const {
    const std::lock_guard lock(mutex_);
    return runs_;
}

Result<HostSurvey> SyntheticSurvey::survey() {
    ++surveys_;
    const std::lock_guard lock(mutex_);
    return survey_;
}

// A program that grows, and one that comes and goes.
Result<std::vector<HostSeries>> SyntheticSurvey::history(TotalsBy by, Timestamp from, Timestamp to,
                                                         std::size_t, std::size_t) {
    constexpr std::int64_t kMinute = 60'000'000;
    HostSeries grows{by == TotalsBy::program ? "python3" : "someone", {}};
    HostSeries comes{std::string(kOtherNames), {}};
    for (auto at = from.micros; at < to.micros; at += kMinute) {
        const auto minute = static_cast<double>((at - from.micros) / kMinute);
        grows.points.push_back({{at}, 60, minute * (2 << 20), 0});
        comes.points.push_back({{at}, 60, static_cast<double>(64 << 20), 0});
    }
    return std::vector<HostSeries>{std::move(grows), std::move(comes)};
}

Result<std::optional<HostRecord>> SyntheticSurvey::at(Timestamp time) {
    HostRecord record;
    record.totals.time = time;
    record.totals.all = {{}, 96 << 20, 128 << 20, 7, 16 << 20, 2};
    record.totals.by[0] = {{"python3", 64 << 20, 80 << 20, 4, 16 << 20, 2},
                           {std::string(kOtherNames), 32 << 20, 48 << 20, 3, 0, 0}};
    return record;
}

Result<std::vector<HostCleanItem>> SyntheticSurvey::rehearse(
    const std::vector<std::string>& names) {
    const std::lock_guard lock(mutex_);
    rehearsals_.push_back(names);
    std::vector<HostCleanItem> items;
    for (const auto& segment : survey_.segments) {
        const bool wanted =
            names.empty() ? segment.verdict == SegmentVerdict::left_over && segment.confidence >= 90
                          : std::find(names.begin(), names.end(), segment.name) != names.end();
        if (wanted) items.push_back(judged(segment));
    }
    return items;
}

Result<std::vector<HostCleanItem>> SyntheticSurvey::clean(
    const std::vector<HostSegment>& segments) {
    const std::lock_guard lock(mutex_);
    auto& run = runs_.emplace_back();
    std::vector<HostCleanItem> items;
    for (const auto& wanted : segments) {
        run.push_back(wanted.name);
        const auto found = std::find_if(
            survey_.segments.begin(), survey_.segments.end(), [&](const HostSegment& segment) {
                return segment.name == wanted.name && segment.inode == wanted.inode;
            });
        if (found == survey_.segments.end()) {
            items.push_back({.segment = wanted, .reason = "another has its name by now"});
            continue;
        }
        items.push_back(judged(*found));
        items.back().removed = items.back().removable;
        if (items.back().removed) survey_.segments.erase(found);
    }
    return items;
}

}  // namespace snakepit::shm::ui
