// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/host_model.h"

#include "ui/models/host_text.h"

namespace snakepit::shm::ui {

namespace {

using Row = const HostRow&;

template <auto Show = Plain{}, typename Get>
constexpr auto make(const char* key, const char* title, Get get) {
    return column<HostRow, Show>(key, title, get).with_tip([](Row r) -> QVariant {
        return Show(Get{}(r));
    });
}

QString percent(int share) {
    return QObject::tr("%1 %").arg(share);
}

QString name_or_dash(const std::string& name) {
    return name.empty() ? u"–"_s : QString::fromStdString(name);
}

constexpr std::array kColumns{
    make(
        "name", "Segment", [](Row r) -> auto& { return r.segment.name; })
        .in_monospace()
        .shown_as([](Row r) {
            return QString::fromStdString(r.segment.label.empty() ? r.segment.name
                                                                  : r.segment.label);
        })
        .sorted_by([](Row r) { return SortKey::of(r.segment.label); }),
    make<kind_title>("kind", "Kind", [](Row r) { return r.segment.kind; }),
    make<verdict_title>("verdict", "Verdict", [](Row r) { return r.segment.verdict; })
        .sorted_by([](Row r) { return SortKey::of(rank(r.segment.verdict)); })
        .as_chip([](Row r) { return severity_of(r.segment.verdict); }),
    make<percent>("confidence", "Confidence", [](Row r) { return r.segment.confidence; })
        .muted_if([](Row) { return true; }),
    make<size_text>("size", "Size", [](Row r) { return r.segment.size; }),
    make<size_text>("resident", "Resident", [](Row r) { return r.segment.resident; })
        .muted_if([](Row r) { return r.segment.resident == 0; }),
    make<name_or_dash>(
        "program", "Program", [](Row r) -> auto& { return r.segment.program; })
        .muted_if([](Row r) { return r.segment.program.empty(); }),
    make("users", "Used by", [](Row r) { return r.segment.users.size(); })
        .to_the_left()
        .shown_as([](Row r) { return users_text(r.segment); })
        .with_tip([](Row r) -> QVariant { return users_text(r.segment); })
        .muted_if([](Row r) { return r.segment.users.empty(); }),
    make("owner", "Owner", [](Row r) { return owner_text(r.segment); }).sorted_by([](Row r) {
        return SortKey::of(r.segment.user);
    }),
    make("creator", "Creator", [](Row r) { return creator_text(r.segment); })
        .sorted_by([](Row r) { return SortKey::of(r.segment.creator.pid); })
        .muted_if([](Row r) { return r.segment.creator.pid == 0; }),
    age_column<HostRow>("touched", "Last use", [](Row r) { return r.segment.touched; }),
    age_column<HostRow>("created", "Age", [](Row r) { return r.segment.created; }),
    make("mode", "Mode", [](Row r) { return mode_text(r.segment.mode); })
        .in_monospace()
        .to_the_right()
        .sorted_by([](Row r) { return SortKey::of(r.segment.mode); }),
    make("place", "Where", [](Row r) { return place_text(r.segment); })
        .sorted_by([](Row r) { return SortKey::of(r.segment.name_space); })
        .muted_if([](Row r) { return r.segment.name_space == 0; }),
};
static_assert(kColumns.size() == kHostColumns);

}  // namespace

HostRows host_rows(std::vector<HostSegment> segments) {
    HostRows rows;
    rows.reserve(segments.size());
    for (auto& segment : segments) {
        auto search = HostFilter::search_text(segment);
        rows.push_back(std::make_shared<const HostRow>(HostRow{std::move(segment), search}));
    }
    return rows;
}

void HostModel::set_filter(HostFilter filter) {
    filter_ = std::move(filter);
    refilter();
}

int HostModel::compare_rows(const HostRow& a, const HostRow& b) const {
    const auto by = [](Row row) {
        return std::pair(rank(row.segment.verdict), -static_cast<double>(row.segment.size));
    };
    return by(a) < by(b) ? -1 : by(b) < by(a) ? 1 : 0;
}

std::span<const Column<HostRow>> HostModel::columns() const {
    return kColumns;
}

QVariant HostModel::cell(int number, int column, int role) const {
    return role == kIdRole ? QString::fromStdString(row(number)->segment.name)
                           : KeyedTable::cell(number, column, role);
}

}  // namespace snakepit::shm::ui
