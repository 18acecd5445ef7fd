// SPDX-License-Identifier: MIT
// Below the table of segments: their sums, the space left, and memory that is not among them.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "host_output.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kShownPlaces = 3, kShownGroups = 5;
// The kernel counts in batches: smaller differences mean nothing.
constexpr std::uint64_t kNoise = 1 << 20;  // bytes

std::uint64_t resident_of(const std::vector<HostSegment>& segments) {
    std::uint64_t sum = 0;
    for (const auto& segment : segments) sum += segment.resident;
    return sum;
}

std::string segments_line(const HostSurvey& survey) {
    std::uint64_t left_over = 0, bytes_left = 0;
    for (const auto& segment : survey.segments) {
        if (segment.verdict != SegmentVerdict::left_over) continue;
        ++left_over;
        bytes_left += segment.resident;
    }
    auto out = fmt::format(
        "{}, {}; left over {}, {}; {} free of {}", pluralize(survey.segments.size(), "segment"),
        format_size(resident_of(survey.segments)), left_over, format_size(bytes_left),
        format_size(survey.shm_free), format_size(survey.shm_total));
    const auto& places = survey.balance.places;
    if (!places.empty() && places.front().files_total > 0)
        out += fmt::format(", {} of {} inodes free", places.front().files_free,
                           places.front().files_total);
    return out + "\n";
}

// "3 directories, 1 FIFO".
std::string others_of(const HostSurvey& survey) {
    std::map<std::string, std::uint64_t> counts;
    for (const auto& other : survey.others) ++counts[other.kind];
    std::string out;
    for (const auto& [kind, count] : counts) {
        const bool y = kind.ends_with('y');
        out += fmt::format(
            "{}{}", out.empty() ? "" : ", ",
            pluralize(count, kind,
                      y ? fmt::format("{}ies", kind.substr(0, kind.size() - 1)) : kind + "s"));
    }
    return out;
}

std::string system_v_line(const SystemVLimits& limits) {
    if (limits.segments == 0 || limits.most_segments == 0) return {};
    auto out = fmt::format("System V: {} of {} segments (kernel.shmmni)", limits.segments,
                           limits.most_segments);
    if (limits.most_bytes > 0 && limits.bytes > limits.most_bytes / 2)
        out += fmt::format(", {} of {} (kernel.shmall)", format_size(limits.bytes),
                           format_size(limits.most_bytes));
    return out + "\n";
}

// Those that hold no segments, the largest first.
std::string other_places(const MemoryBalance& balance) {
    std::vector<const MemoryPlace*> places;
    for (const auto& place : balance.places)
        if (place.listed == 0 && place.used > 0) places.push_back(&place);
    std::sort(places.begin(), places.end(),
              [](const auto* left, const auto* right) { return left->used > right->used; });
    std::string out;
    for (std::size_t i = 0; i < std::min(places.size(), kShownPlaces); ++i)
        out += fmt::format("{}{} {}", i == 0 ? " (with " : ", ", sanitized(places[i]->path),
                           format_size(places[i]->used));
    return out.empty() ? out : out + ")";
}

// The groups that pay for most, and every limit that left-over segments fill.
std::string payer_lines(const HostSurvey& survey) {
    std::string out;
    for (const auto& group : survey.groups)
        if (!group.warning.empty()) out += fmt::format("{}\n", sanitized(group.warning));
    std::uint64_t told = 0;
    for (const auto& group : survey.groups) told += group.segments;
    if (told == 0) return out;
    out += "paid by";
    for (std::size_t i = 0; i < std::min(survey.groups.size(), kShownGroups); ++i) {
        const auto& group = survey.groups[i];
        out += fmt::format("{} {} {} ({})", i == 0 ? ":" : ",", sanitized(group.name),
                           format_size(group.bytes), pluralize(group.segments, "segment"));
    }
    if (survey.groups.size() > kShownGroups)
        out += fmt::format(" and {} more", survey.groups.size() - kShownGroups);
    const auto rest = survey.segments.size() - told;
    return out + (rest > 0 ? fmt::format("; not told of {}\n", pluralize(rest, "segment")) : "\n");
}

std::string balance_lines(const MemoryBalance& balance) {
    if (balance.shmem == 0) return {};
    const auto unlisted = balance.unlisted();
    const auto size = static_cast<std::uint64_t>(std::abs(unlisted));
    auto out =
        fmt::format("the system counts {} of shared memory; found {}{}; ",
                    format_size(balance.shmem), format_size(balance.listed), other_places(balance));
    if (size < kNoise)
        out += "nothing is missing\n";
    else if (unlisted > 0)
        out += fmt::format("{} are not in this list\n", format_size(size));
    else
        out += fmt::format("{} more than the system counts\n", format_size(size));
    for (const auto& note : balance.notes) out += fmt::format("  {}\n", sanitized(note));
    return out;
}

}  // namespace

std::string host_summary(const HostSurvey& survey, const std::vector<HostSegment>& shown) {
    auto out = segments_line(survey);
    if (shown.size() < survey.segments.size())
        out += fmt::format("{}, {}, not shown: --all includes unnamed segments\n",
                           pluralize(survey.segments.size() - shown.size(), "segment"),
                           format_size(resident_of(survey.segments) - resident_of(shown)));
    if (const auto others = others_of(survey); !others.empty())
        out += fmt::format("other files there: {}\n", others);
    out += payer_lines(survey) + system_v_line(survey.system_v) + balance_lines(survey.balance);
    for (const auto& limit : survey.limits) out += fmt::format("note: {}\n", sanitized(limit));
    return out;
}

}  // namespace snakepit::shm::cli
