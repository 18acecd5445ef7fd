// SPDX-License-Identifier: MIT
#include "host_output.h"

#include <algorithm>

#include <QJsonArray>

#include <fmt/format.h>

#include "base/units.h"
#include "diagnostics/host_json.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kSegmentColumns = 48;  // of a table; the details have all of it
constexpr std::size_t kLeastNameColumns = 24;

std::string creator_of(const HostSegment& segment) {
    const auto& creator = segment.creator;
    if (creator.pid == 0) return "-";
    switch (creator.life) {
        case Life::lives:
            return process_label(sanitized(creator.program), creator.pid);
        case Life::gone:
            return creator.program.empty()
                       ? fmt::format("{} (exited)", creator.pid)
                       : fmt::format("{} (exited)",
                                     process_label(sanitized(creator.program), creator.pid));
        case Life::not_told:
            break;
    }
    return fmt::format("{} (not seen)", creator.pid);
}

std::string verdict_of(const HostSegment& segment) {
    std::string word(to_string(segment.verdict));
    std::replace(word.begin(), word.end(), '_', ' ');
    return fmt::format("{} {} %", word, segment.confidence);
}

Tone tone_of(SegmentVerdict verdict) {
    return verdict == SegmentVerdict::left_over ? Tone::warning : Tone::plain;
}

std::string_view use_of(UseKind how) {
    switch (how) {
        case UseKind::maps:
            return "maps it";
        case UseKind::attached:
            return "has it attached";
        case UseKind::open:
            break;
    }
    return "has it open";
}

std::string payer_of(const SegmentPayer& payer) {
    if (payer.group.empty()) return fmt::format("not told: {}", payer.reason);
    const auto earlier = payer.known_by == SegmentPayer::KnownBy::earlier
                             ? ", as recorded while a process had it mapped"
                             : "";
    return payer.kind == GroupKind::other || payer.kind == GroupKind::root
               ? fmt::format("{}{}", payer.name, earlier)
               : fmt::format("{} ({}){}", payer.name, payer.group, earlier);
}

std::string mode_of(const HostSegment& segment) {
    return fmt::format("{:04o}", segment.mode);
}

}  // namespace

std::string users_of(const HostSegment& segment) {
    if (segment.users.empty())
        return segment.attached > 0     ? fmt::format("{} not seen", segment.attached)
               : segment.users_complete ? "none"
                                        : "none seen";
    const auto& first = segment.users.front();
    const auto label = process_label(sanitized(first.program), first.pid);
    const auto more = segment.users.size() - 1;
    return more == 0 ? label : fmt::format("{} +{}", label, more);
}

void sort_by_interest(std::vector<HostSegment>& segments) {
    std::stable_sort(segments.begin(), segments.end(), [](const auto& left, const auto& right) {
        return std::pair(rank(left.verdict), right.resident) <
               std::pair(rank(right.verdict), left.resident);
    });
}

bool is_meant(const HostSegment& segment, std::string_view word) {
    const auto shown = [word](const std::string& name) { return escaped(name) == word; };
    return is_called(segment, word) ||
           std::any_of(segment.names.begin(), segment.names.end(), shown);
}

HostSegment in_unicode(HostSegment segment) {
    const auto fit = [](std::string& name) {
        if (name.find('\\') != name.npos || text(name).toUtf8().toStdString() != name)
            name = escaped(name);
    };
    fit(segment.name);
    fit(segment.label);
    std::for_each(segment.names.begin(), segment.names.end(), fit);
    return segment;
}

QJsonObject clean_item_json(const HostCleanItem& item) {
    const auto segment = in_unicode(item.segment);
    QJsonArray names;
    for (const auto& name : segment.names) names.append(text(name));
    const bool found = item.refusal != Refusal::not_found || !segment.names.empty();
    return {{"name", text(segment.name)},
            {"names", names},
            {"removable", item.removable},
            {"removed", item.removed},
            {"confidence", segment.confidence},
            {"reason", text(item.reason)},
            {"code", item.refusal == Refusal::none ? QJsonValue()
                                                   : QJsonValue(text(to_string(item.refusal)))},
            {"overridden", item.overridden ? QJsonValue("creator_may_live") : QJsonValue()},
            {"freed", json(item.freed)},
            {"segment", found ? QJsonValue(host_segment_json(segment)) : QJsonValue()}};
}

std::string clean_items(const std::vector<HostCleanItem>& items, bool dry_run) {
    constexpr std::size_t kTextColumns = 96;
    std::string out;
    for (const auto& item : items) {
        const auto* what = dry_run        ? item.removable ? "would be removed" : "would stay"
                           : item.removed ? "removed"
                                          : "not removed";
        out += fmt::format("{} ({}): {}\n", escaped(item.segment.name),
                           format_size(item.segment.resident), what);
        for (const auto& line : wrapped(sanitized(item.reason), kTextColumns))
            out += fmt::format("    {}\n", line);
    }
    return out;
}

Table host_table(const std::vector<HostSegment>& segments) {
    Table table({"VERDICT!", "KIND!", "NAME", "SIZE>", "RESIDENT>", "OWNER", "CREATOR", "USERS",
                 "LAST USED>", "PROGRAM"});
    table.keep_at_least("NAME", kLeastNameColumns);
    table.may_leave_out({"PROGRAM", "RESIDENT", "CREATOR", "KIND", "OWNER", "LAST USED", "USERS"});
    for (const auto& segment : segments)
        table.add({{verdict_of(segment), tone_of(segment.verdict)},
                   to_string(segment.kind),
                   shortened((segment.kind == SegmentKind::posix && !segment.unlinked) ||
                                     segment.label == segment.name
                                 ? escaped(segment.name)
                                 : escaped(segment.name) + " " + escaped(segment.label),
                             kSegmentColumns),
                   format_size(segment.size),
                   format_size(segment.resident),
                   sanitized(segment.user),
                   creator_of(segment),
                   users_of(segment),
                   age(segment.touched),
                   segment.program.empty() ? "-" : segment.program});
    return table;
}

std::string host_details(const HostSegment& segment) {
    std::string out = fmt::format("{} {}: {}\n", to_string(segment.kind), escaped(segment.name),
                                  verdict_of(segment));
    const auto line = [&out](std::string_view key, const std::string& value) {
        out += fmt::format("  {:<11}{}\n", key, value);
    };
    for (const auto& name : segment.names)
        if (name != segment.name) line("also named", escaped(name));
    if (segment.label != segment.name) line("label", escaped(segment.label));
    if (!segment.program.empty()) line("program", segment.program);
    line("size",
         fmt::format("{}, {} resident", format_size(segment.size), format_size(segment.resident)));
    if (segment.swapped > 0) line("in swap", format_size(segment.swapped));
    line("owner",
         fmt::format("{} ({}), mode {}", sanitized(segment.user), segment.uid, mode_of(segment)));
    if (segment.kind == SegmentKind::system_v)
        line("key", fmt::format("0x{:08x}", static_cast<std::uint32_t>(segment.key)));
    if (!segment.container.empty())
        line("namespace", fmt::format("{} ({})", segment.container, segment.name_space));
    line("creator", creator_of(segment));
    if (!segment.payer.group.empty() || !segment.payer.reason.empty())
        line("paid by", sanitized(payer_of(segment.payer)));
    line("created", segment.created.micros == 0 ? "-" : to_rfc3339(segment.created));
    line("last used", segment.touched.micros == 0 ? "-" : to_rfc3339(segment.touched));
    for (const auto& user : segment.users)
        line("user", fmt::format("{}, {}", process_label(sanitized(user.program), user.pid),
                                 use_of(user.how)));
    if (segment.users.empty()) line("user", users_of(segment));
    for (const auto& sentence : segment.evidence) line("because", sanitized(sentence));
    if (!segment.advice.empty()) line("advice", sanitized(segment.advice));
    return out;
}

}  // namespace snakepit::shm::cli
