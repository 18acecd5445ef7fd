// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/operation_model.h"

namespace snakepit::shm::ui {

namespace {

using Row = const OperationRow&;

struct Words {
    const char *title, *note;
};
constexpr std::array<Words, layout::kTimed> kWords{{
    {"Allocate", "In the manager, from request to response."},
    {"First map", "In the manager: a map that needed a request."},
    {"Map", "In the client, without the manager; a sample of one in a few hundred."},
    {"Unmap", "In the client; for the same sample as maps."},
    {"Cleanup", "In the manager: freeing one region."},
    {"Lock wait", "From the request of a lock to its grant; only locks that had to wait."},
    {"Recorder lag", "From an event to its row in the database."},
}};

const Words& words_of(layout::Timed what) {
    return kWords[static_cast<std::size_t>(what)];
}

constexpr std::array kShares{0.5, 0.9, 0.99, 0.999};

template <std::size_t Place>
constexpr Column<OperationRow> percentile(const char* key, const char* title) {
    return column<OperationRow>(key, title, [](Row r) { return r.percentiles[Place]; })
        .shown_as([](Row r) {
            return r.histogram.count == 0 ? u"–"_s
                                          : nanos_text(static_cast<double>(r.percentiles[Place]));
        })
        .muted_if([](Row r) { return r.histogram.count == 0; });
}

constexpr std::array kColumns{
    column<OperationRow>(
        "operation", "Operation",
        [](Row r) { return to_qstring(layout::kTimedNames[static_cast<std::size_t>(r.what)]); })
        .shown_as([](Row r) { return operation_title(r.what); })
        .sorted_by([](Row r) { return SortKey::of(r.what); })
        .with_tip([](Row r) { return QVariant(operation_note(r.what)); }),
    column<OperationRow>("count", "Count", [](Row r) { return r.histogram.count; })
        .shown_as([](Row r) { return r.known ? count_text(r.histogram.count) : u"–"_s; })
        .muted_if([](Row r) { return r.histogram.count == 0; }),
    percentile<0>("p50", "p50"),
    percentile<1>("p90", "p90"),
    percentile<2>("p99", "p99"),
    percentile<3>("p999", "p99.9"),
};
static_assert(kColumns.size() == kOperationColumns);

}  // namespace

QString operation_title(layout::Timed what) {
    return QObject::tr(words_of(what).title);
}

QString operation_note(layout::Timed what) {
    return QObject::tr(words_of(what).note);
}

OperationModel::OperationModel(QObject* parent) : KeyedTable(parent) {
    show({});
}

void OperationModel::show(const std::array<layout::Histogram, layout::kTimed>& timings,
                          bool known) {
    std::vector<OperationRow> rows(layout::kTimed);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].what = static_cast<layout::Timed>(i);
        rows[i].histogram = timings[i];
        rows[i].known = known;
        for (std::size_t j = 0; j < kShares.size(); ++j)
            rows[i].percentiles[j] = timings[i].percentile(kShares[j]);
    }
    KeyedTable::show(rows);
}

std::span<const Column<OperationRow>> OperationModel::columns() const {
    return kColumns;
}

}  // namespace snakepit::shm::ui
