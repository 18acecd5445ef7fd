// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/host_filter.h"

#include "ui/models/host_text.h"

namespace snakepit::shm {

namespace {

using Segment = const HostSegment&;
using Field = FilterField<HostSegment>;

std::string users_of(Segment segment) {
    std::string out;
    for (const auto& user : segment.users)
        out += user.program + ' ' + std::to_string(user.pid) + ' ';
    return out;
}

std::string names_of(Segment segment) {
    std::string out = segment.label + ' ' + segment.name;
    for (const auto& name : segment.names) out += ' ' + name;
    return out;
}

template <typename T>
double number(T value) {
    return static_cast<double>(value);
}

// As the table shows them.
std::span<const std::string_view> kinds() {
    static const auto titles = [](auto... kind) {
        return std::array{ui::kind_title(kind).toStdString()...};
    }(SegmentKind::posix, SegmentKind::system_v, SegmentKind::memfd);
    static const std::array<std::string_view, 3> views{titles[0], titles[1], titles[2]};
    return views;
}

std::span<const std::string_view> verdicts() {
    static const auto names = [](auto... verdict) { return std::array{to_string(verdict)...}; }(
                                  SegmentVerdict::in_use, SegmentVerdict::ours,
                                  SegmentVerdict::kept, SegmentVerdict::left_over,
                                  SegmentVerdict::unknown);
    return names;
}

constexpr std::array kFields{
    Field{"kind", kinds, [](Segment s) { return ui::kind_title(s.kind).toStdString(); }},
    Field{"name", names_of},
    Field{"program", [](Segment s) { return s.program; }},
    Field{"owner", [](Segment s) { return s.user; }},
    Field{"creator", [](Segment s) { return ui::creator_text(s).toStdString(); }},
    Field{"user", users_of},
    Field{"container", [](Segment s) { return s.container; }},
    Field{"verdict", verdicts, [](Segment s) { return std::string(to_string(s.verdict)); }},
    Field{"size", FilterKind::size, [](Segment s) { return number(s.size); }},
    Field{"resident", FilterKind::size, [](Segment s) { return number(s.resident); }},
    Field{"pid", FilterKind::number, [](Segment s) { return number(s.creator.pid); }},
    Field{"users", FilterKind::number, [](Segment s) { return number(s.users.size()); }},
    Field{"mode", FilterKind::number, [](Segment s) { return number(s.mode); }},
    Field{"confidence", FilterKind::number, [](Segment s) { return number(s.confidence); }},
};

}  // namespace

std::span<const FilterField<HostSegment>> FilterTraits<HostSegment>::fields() {
    return kFields;
}

std::string FilterTraits<HostSegment>::search_text(const HostSegment& segment) {
    std::string text;
    for (const auto& part : {names_of(segment), segment.program, segment.user, segment.container,
                             segment.creator.program, ui::kind_title(segment.kind).toStdString(),
                             ui::verdict_title(segment.verdict).toStdString(), users_of(segment)})
        text += part + '\n';
    return lower_case(text);
}

}  // namespace snakepit::shm
