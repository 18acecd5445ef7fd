// SPDX-License-Identifier: MIT
#include "host_history/host_totals.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/json.h"
#include "survey/host_survey.h"

namespace snakepit::shm {

namespace {

using Sums = std::map<std::string, UsageTotal, std::less<>>;

UsageTotal usage_of(const HostSegment& segment) {
    UsageTotal out;
    out.bytes = out.most_bytes = static_cast<double>(segment.resident);
    out.segments = 1;
    if (segment.verdict == SegmentVerdict::left_over) {
        out.left_bytes = out.bytes;
        out.left_segments = 1;
    }
    return out;
}

// Names of memfds and processes are any bytes.
std::string readable(const std::string& name) {
    return name.empty() ? std::string(kNotTold) : valid_utf8(name);
}

std::vector<UsageTotal> as_list(Sums sums) {
    std::vector<UsageTotal> out;
    for (auto& [name, sum] : sums) {
        sum.name = name;
        out.push_back(std::move(sum));
    }
    return out;
}

void scale(UsageTotal& total, double factor) {
    for (auto* value : {&total.bytes, &total.segments, &total.left_bytes, &total.left_segments})
        *value *= factor;
}

// Adds averages, and of the highest values takes the highest.
void add_row(UsageTotal& sum, UsageTotal row, double weight) {
    const auto most = std::max(sum.most_bytes, row.most_bytes);
    scale(row, weight);
    sum += row;
    sum.most_bytes = most;
}

}  // namespace

std::string_view to_string(TotalsBy by) {
    switch (by) {
        case TotalsBy::program:
            return "program";
        case TotalsBy::user:
            return "user";
        case TotalsBy::group:
            return "group";
    }
    return "program";
}

UsageTotal& UsageTotal::operator+=(const UsageTotal& other) {
    bytes += other.bytes;
    most_bytes += other.most_bytes;
    segments += other.segments;
    left_bytes += other.left_bytes;
    left_segments += other.left_segments;
    return *this;
}

HostTotals totals_of(const HostSurvey& survey, const SegmentMemory& memory) {
    HostTotals out{.time = survey.time,
                   .processes = static_cast<double>(survey.processes + survey.unreadable),
                   .unreadable = static_cast<double>(survey.unreadable)};
    std::array<Sums, kTotalsBy.size()> sums;
    for (const auto& segment : survey.segments) {
        const auto usage = usage_of(segment);
        const auto* known = memory.find(identity_of(segment));
        // The name of the software stays when its processes end.
        auto program = segment.program;
        if (program.empty() && known) program = known->program;
        out.all += usage;
        sums[static_cast<std::size_t>(TotalsBy::program)][readable(program)] += usage;
        sums[static_cast<std::size_t>(TotalsBy::user)][readable(segment.user)] += usage;
        sums[static_cast<std::size_t>(TotalsBy::group)][readable(segment.payer.name)] += usage;
    }
    for (std::size_t i = 0; i < sums.size(); ++i) out.by[i] = largest(as_list(std::move(sums[i])));
    return out;
}

std::vector<UsageTotal> largest(std::vector<UsageTotal> totals) {
    std::sort(totals.begin(), totals.end(), [](const auto& left, const auto& right) {
        return std::pair(right.bytes, left.name) < std::pair(left.bytes, right.name);
    });
    UsageTotal rest;
    rest.name = kOtherNames;
    std::vector<UsageTotal> out;
    for (auto& total : totals) {
        if (total.name != kOtherNames && out.size() < kMostNames)
            out.push_back(std::move(total));
        else
            rest += total;
    }
    if (rest.segments > 0 || rest.most_bytes > 0) out.push_back(std::move(rest));
    return out;
}

HostTotals merged(const std::vector<HostTotals>& rows) {
    HostTotals out;
    if (rows.empty()) return out;
    out.time = rows.front().time;
    out.surveys = 0;
    for (const auto& row : rows) out.surveys += row.surveys;
    std::array<Sums, kTotalsBy.size()> sums;
    for (const auto& row : rows) {
        const auto weight = row.surveys / out.surveys;
        out.processes += row.processes * weight;
        out.unreadable = std::max(out.unreadable, row.unreadable);
        add_row(out.all, row.all, weight);
        for (std::size_t i = 0; i < sums.size(); ++i)
            for (const auto& total : row.by[i]) add_row(sums[i][total.name], total, weight);
    }
    for (std::size_t i = 0; i < sums.size(); ++i) out.by[i] = largest(as_list(std::move(sums[i])));
    return out;
}

}  // namespace snakepit::shm
