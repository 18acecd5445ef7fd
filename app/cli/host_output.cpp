// SPDX-License-Identifier: MIT
#include "host_output.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

QJsonValue or_null(std::string_view value) {
    return value.empty() ? QJsonValue() : QJsonValue(text(value));
}

QJsonArray users_json(const std::vector<SegmentUser>& users) {
    QJsonArray out;
    for (const auto& user : users)
        out.append(QJsonObject{{"pid", json(user.pid)},
                               {"uid", json(std::int64_t{user.uid})},
                               {"process", text(user.process)},
                               {"maps", user.maps}});
    return out;
}

QJsonArray sentences_json(const std::vector<std::string>& sentences) {
    QJsonArray out;
    for (const auto& sentence : sentences) out.append(text(sentence));
    return out;
}

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

QJsonObject host_segment_json(const HostSegment& segment) {
    const bool system_v = segment.kind == SegmentKind::system_v;
    return {{"kind", text(to_string(segment.kind))},
            {"name", text(segment.name)},
            {"label", text(segment.label)},
            {"size", json(segment.size)},
            {"resident", json(segment.resident)},
            {"uid", json(std::int64_t{segment.uid})},
            {"user", text(segment.user)},
            {"mode", text(mode_of(segment))},
            {"device", system_v ? QJsonValue() : json(segment.device)},
            {"inode", system_v ? QJsonValue() : json(segment.inode)},
            {"key", system_v ? json(segment.key) : QJsonValue()},
            {"attached", system_v ? json(segment.attached) : QJsonValue()},
            {"last_user_pid", system_v ? json(segment.last_user) : QJsonValue()},
            {"unlinked", segment.unlinked},
            {"namespace", segment.name_space == 0 ? QJsonValue() : json(segment.name_space)},
            {"container", or_null(segment.container)},
            {"creator_pid", segment.creator == 0 ? QJsonValue() : json(segment.creator)},
            {"creator_process", or_null(segment.creator_process)},
            {"creator_gone", segment.creator_gone},
            {"creator_reused", segment.creator_reused},
            {"created_at", json(segment.created)},
            {"touched_at", json(segment.touched)},
            {"users", users_json(segment.users)},
            {"users_complete", segment.users_complete},
            {"program", or_null(segment.program)},
            {"verdict", text(to_string(segment.verdict))},
            {"confidence", segment.confidence},
            {"confidence_if_unused", segment.confidence_if_unused},
            {"evidence", sentences_json(segment.evidence)}};
}

QJsonObject host_json(const HostSurvey& survey) {
    QJsonArray segments;
    for (const auto& segment : survey.segments) segments.append(host_segment_json(segment));
    return {{"time", json(survey.time)},
            {"segments", segments},
            {"processes", json(survey.processes)},
            {"unreadable_processes", json(survey.unreadable)},
            {"shm_total", json(survey.shm_total)},
            {"shm_free", json(survey.shm_free)},
            {"limits", sentences_json(survey.limits)}};
}

QJsonObject clean_item_json(const HostCleanItem& item) {
    return {{"name", text(item.segment.name)},
            {"removable", item.removable},
            {"removed", item.removed},
            {"reason", text(item.reason)},
            {"segment", item.segment.size == 0 && item.segment.user.empty()
                            ? QJsonValue()
                            : QJsonValue(host_segment_json(item.segment))}};
}

std::string host_table(const std::vector<HostSegment>& segments) {
    Table table({"KIND", "NAME", "SIZE>", "RESIDENT>", "OWNER", "CREATOR", "USERS", "TOUCHED>",
                 "VERDICT", "PROGRAM"});
    for (const auto& segment : segments)
        table.add({std::string(to_string(segment.kind)),
                   harmless(segment.kind == SegmentKind::posix && !segment.unlinked ? segment.name
                            : segment.label == segment.name                         ? segment.name
                                                            : segment.name + " " + segment.label),
                   format_size(segment.size), format_size(segment.resident), harmless(segment.user),
                   creator_of(segment), users_of(segment), age(segment.touched),
                   verdict_of(segment), segment.program.empty() ? "-" : segment.program});
    return table.str();
}

std::string host_details(const HostSegment& segment) {
    std::string out = fmt::format("{} {}: {}\n", to_string(segment.kind), harmless(segment.name),
                                  verdict_of(segment));
    const auto line = [&out](std::string_view key, const std::string& value) {
        out += fmt::format("  {:<11}{}\n", key, value);
    };
    if (segment.label != segment.name) line("label", harmless(segment.label));
    if (!segment.program.empty()) line("program", segment.program);
    line("size",
         fmt::format("{}, {} resident", format_size(segment.size), format_size(segment.resident)));
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
