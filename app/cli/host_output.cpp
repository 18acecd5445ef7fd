// SPDX-License-Identifier: MIT
#include "host_output.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.h"
#include "diagnostics/host_json.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kNameColumns = 48;  // of a table; all of it is in the details

std::string creator_of(const HostSegment& segment) {
    if (segment.creator == 0) return segment.creator_gone ? "gone" : "-";
    if (segment.creator_reused) return fmt::format("{} (reused)", segment.creator);
    if (segment.creator_gone) return fmt::format("{} (gone)", segment.creator);
    return process_label(harmless(segment.creator_process), segment.creator);
}

std::string users_of(const HostSegment& segment) {
    if (segment.users.empty())
        return segment.attached > 0     ? fmt::format("{} unseen", segment.attached)
               : segment.users_complete ? "none"
                                        : "none seen";
    const auto& first = segment.users.front();
    const auto label = process_label(harmless(first.process), first.pid);
    const auto more = segment.users.size() - 1;
    return more == 0 ? label : fmt::format("{} +{}", label, more);
}

std::string verdict_of(const HostSegment& segment) {
    std::string word(to_string(segment.verdict));
    std::replace(word.begin(), word.end(), '_', ' ');
    return fmt::format("{} {} %", word, segment.confidence);
}

std::string mode_of(const HostSegment& segment) {
    return fmt::format("{:04o}", segment.mode);
}

}  // namespace

void sort_by_interest(std::vector<HostSegment>& segments) {
    std::stable_sort(segments.begin(), segments.end(), [](const auto& left, const auto& right) {
        return std::pair(rank(left.verdict), right.resident) <
               std::pair(rank(right.verdict), left.resident);
    });
}

bool is_called(const HostSegment& segment, std::string_view word) {
    return escaped(segment.name) == word || segment.name == word || segment.label == word;
}

HostSegment in_unicode(HostSegment segment) {
    for (auto* name : {&segment.name, &segment.label})
        if (text(*name).toUtf8().toStdString() != *name) *name = escaped(*name);
    return segment;
}

QJsonObject clean_item_json(const HostCleanItem& item) {
    return {{"name", text(in_unicode(item.segment).name)},
            {"removable", item.removable},
            {"removed", item.removed},
            {"reason", text(item.reason)},
            {"segment", item.segment.size == 0 && item.segment.user.empty()
                            ? QJsonValue()
                            : QJsonValue(host_segment_json(in_unicode(item.segment)))}};
}

std::string host_table(const std::vector<HostSegment>& segments) {
    Table table({"KIND", "NAME", "SIZE>", "RESIDENT>", "OWNER", "CREATOR", "USERS", "TOUCHED>",
                 "VERDICT", "PROGRAM"});
    for (const auto& segment : segments)
        table.add({std::string(to_string(segment.kind)),
                   shortened((segment.kind == SegmentKind::posix && !segment.unlinked) ||
                                     segment.label == segment.name
                                 ? escaped(segment.name)
                                 : escaped(segment.name) + " " + escaped(segment.label),
                             kNameColumns),
                   format_size(segment.size), format_size(segment.resident), harmless(segment.user),
                   creator_of(segment), users_of(segment), age(segment.touched),
                   verdict_of(segment), segment.program.empty() ? "-" : segment.program});
    return table.str();
}

std::string host_details(const HostSegment& segment) {
    std::string out = fmt::format("{} {}: {}\n", to_string(segment.kind), escaped(segment.name),
                                  verdict_of(segment));
    const auto line = [&out](std::string_view key, const std::string& value) {
        out += fmt::format("  {:<11}{}\n", key, value);
    };
    if (segment.label != segment.name) line("label", escaped(segment.label));
    if (!segment.program.empty()) line("program", segment.program);
    line("size",
         fmt::format("{}, {} resident", format_size(segment.size), format_size(segment.resident)));
    if (segment.swapped > 0) line("in swap", format_size(segment.swapped));
    line("owner",
         fmt::format("{} ({}), mode {}", harmless(segment.user), segment.uid, mode_of(segment)));
    if (segment.kind == SegmentKind::system_v)
        line("key", fmt::format("0x{:08x}", static_cast<std::uint32_t>(segment.key)));
    if (!segment.container.empty())
        line("namespace", fmt::format("{} ({})", segment.container, segment.name_space));
    line("creator", creator_of(segment));
    line("made", segment.created.micros == 0 ? "-" : to_rfc3339(segment.created));
    line("touched", segment.touched.micros == 0 ? "-" : to_rfc3339(segment.touched));
    for (const auto& user : segment.users)
        line("user", fmt::format("{}, {}", process_label(harmless(user.process), user.pid),
                                 user.maps ? "maps it" : "has it open"));
    for (const auto& sentence : segment.evidence) line("because", harmless(sentence));
    return out;
}

}  // namespace snakepit::shm::cli
