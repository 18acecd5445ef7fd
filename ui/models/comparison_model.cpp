// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/comparison_model.h"

#include "base/units.h"
#include "ui/models/user_names.h"

namespace snakepit::shm::ui {

namespace {

using Difference = const DifferenceRow&;
using Total = const TotalRow&;

Severity severity_of_kind(RegionDifferenceKind kind) {
    switch (kind) {
        case RegionDifferenceKind::gone:
            return Severity::neutral;
        case RegionDifferenceKind::added:
            return Severity::good;
        case RegionDifferenceKind::replaced:
        case RegionDifferenceKind::changed:
            break;
    }
    return Severity::caution;
}

std::uint64_t size_of(const std::optional<RegionRow>& row) {
    return row ? row->info.size : 0;
}

// A dash where there is none, or nothing is recorded of it.
QString side_text(const std::optional<RegionRow>& row) {
    return row && (row->unknown & kPartSize) == 0 ? size_text(row->info.size) : u"–"_s;
}

constexpr std::array kDifferenceColumns{
    column<DifferenceRow>("change", "Change", [](Difference r) { return r.difference.kind; })
        .as_chip([](Difference r) { return severity_of_kind(r.difference.kind); }),
    column<DifferenceRow>(
        "id", "Region",
        [](Difference r) { return QString::fromStdString(r.difference.region().id.str()); })
        .in_monospace()
        .sorted_by([](Difference r) { return SortKey::of(r.difference.region().id.micros); }),
    column<DifferenceRow>(
        "name", "Name", [](Difference r) -> auto& { return r.difference.region().name; })
        .with_value_as_tip(),
    column<DifferenceRow>("size_before", "Size before",
                          [](Difference r) { return size_of(r.difference.before); })
        .shown_as([](Difference r) { return side_text(r.difference.before); }),
    column<DifferenceRow>("size_after", "Size after",
                          [](Difference r) { return size_of(r.difference.after); })
        .shown_as([](Difference r) { return side_text(r.difference.after); }),
    column<DifferenceRow>(
        "owner", "Owner", [](Difference r) -> auto& { return r.difference.region().owner_process; })
        .shown_as([](Difference r) {
            const auto& region = r.difference.region();
            return u"%1 (%2)"_s.arg(program_text(region.owner_process, region.owner_pid))
                .arg(region.owner_pid);
        }),
    column<DifferenceRow>("differences", "Differences", [](Difference r) { return r.differences; })
        .sorted_by([](Difference r) { return SortKey::of(r.difference.aspects); })
        .with_value_as_tip(),
};

constexpr std::array kTotalColumns{
    column<TotalRow>(
        "name", "Name", [](Total r) -> auto& { return r.total.name; })
        .shown_as([](Total r) { return r.label; })
        .with_value_as_tip(),
    column<TotalRow, size_text>("bytes_before", "Before",
                                [](Total r) { return r.total.bytes_before; }),
    column<TotalRow, size_text>("bytes_after", "After",
                                [](Total r) { return r.total.bytes_after; }),
    column<TotalRow, growth_text>("growth", "Growth", [](Total r) { return r.total.growth(); }),
    column<TotalRow, count_text>("regions_after", "Regions after",
                                 [](Total r) { return r.total.regions_after; }),
    column<TotalRow, count_text>("added", "Added", [](Total r) { return r.total.added; }),
    column<TotalRow, count_text>("gone", "Gone", [](Total r) { return r.total.gone; }),
};

}  // namespace

QString growth_text(std::int64_t bytes) {
    return QString::fromStdString(format_growth(bytes)).replace(u'-', u'−');
}

std::vector<DifferenceModel::Ptr> DifferenceModel::rows_of(const RegionComparison& comparison) {
    std::vector<Ptr> rows;
    rows.reserve(comparison.differences.size());
    for (const auto& one : comparison.differences)
        rows.push_back(std::make_shared<const DifferenceRow>(
            DifferenceRow{one, QString::fromStdString(describe(one))}));
    return rows;
}

std::span<const Column<DifferenceRow>> DifferenceModel::columns() const {
    return kDifferenceColumns;
}

int DifferenceModel::compare_rows(const DifferenceRow& a, const DifferenceRow& b) const {
    const auto size = [](const DifferenceRow& row) {
        return std::max(size_of(row.difference.before), size_of(row.difference.after));
    };
    if (a.difference.kind != b.difference.kind)
        return a.difference.kind < b.difference.kind ? -1 : 1;
    return size(a) == size(b) ? 0 : size(a) > size(b) ? -1 : 1;
}

void ComparedTotalModel::show_totals(const RegionComparison& comparison, ComparedBy by) {
    std::vector<TotalRow> rows;
    for (auto& total : comparison.by(by)) {
        auto label = QString::fromStdString(total.name);
        if (by == ComparedBy::user) label = user_text(label.toUInt());
        rows.push_back({std::move(total), std::move(label)});
    }
    show(rows);
}

std::span<const Column<TotalRow>> ComparedTotalModel::columns() const {
    return kTotalColumns;
}

int ComparedTotalModel::compare_rows(const TotalRow& a, const TotalRow& b) const {
    const auto one = a.total.growth(), other = b.total.growth();
    return one == other ? 0 : one > other ? -1 : 1;
}

}  // namespace snakepit::shm::ui
