// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/event_model.h"

#include <array>

#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/tone.h"
#include "ui/models/user_names.h"

namespace snakepit::shm::ui {

namespace {

// What a list that follows keeps; older rows are asked for again when they are scrolled to.
constexpr std::size_t kMaxFollowedRows = 20'000;

constexpr std::array<ColumnTraits, kEventColumns> kColumns{{
    {"time", "Time", false},
    {"kind", "Event", false},
    {"region_id", "Region", false},
    {"pid", "PID", true},
    {"uid", "User", false},
    {"result", "Result", false},
    {"detail", "Details", false},
    {"seq", "No.", true},
}};

}  // namespace

EventModel::EventModel(std::unique_ptr<EventSource> source, QObject* parent)
    : ColumnModel(parent), feed_(std::move(source)) {}

EventQuery EventModel::base_query() const {
    EventQuery query;
    query.kinds = kinds_;
    if (!region_id_.isEmpty()) query.region_id = region_id_.toStdString();
    query.limit = page_size_;
    return query;
}

void EventModel::set_query(std::vector<EventKind> kinds, const QString& region_id) {
    kinds_ = std::move(kinds);
    region_id_ = region_id;
    clear();
    load_page();
}

void EventModel::clear() {
    feed_.cancel();
    complete_ = false;
    if (rows_.empty()) return;
    beginRemoveRows({}, 0, rowCount() - 1);
    rows_.clear();
    endRemoveRows();
}

void EventModel::load_page() {
    auto query = base_query();
    query.newest_first = true;
    query.before_seq = rows_.empty() ? 0 : rows_.back().seq;
    feed_.ask(query, [this](auto result) {
        take_problem(result ? nullptr : &result.error());
        if (result) add_older(std::move(*result));
        Q_EMIT answered();
    });
}

void EventModel::refresh() {
    if (feed_.busy()) return;
    if (rows_.empty()) {
        load_page();
        return;
    }
    auto query = base_query();
    query.after_seq = rows_.front().seq;
    feed_.ask(query, [this](auto result) {
        take_problem(result ? nullptr : &result.error());
        if (result && static_cast<int>(result->size()) >= page_size_) {
            // More than a page behind: start again at the newest instead of running after it.
            clear();
            load_page();
            return;
        }
        if (result) add_newer(std::move(*result));
        Q_EMIT answered();
    });
}

void EventModel::add_older(std::vector<EventRow> rows) {
    complete_ = static_cast<int>(rows.size()) < page_size_;
    if (rows.empty()) return;
    inserting_ = true;
    beginInsertRows({}, rowCount(), rowCount() + static_cast<int>(rows.size()) - 1);
    for (auto& row : rows) rows_.push_back(std::move(row));
    inserting_ = false;
    endInsertRows();
}

void EventModel::add_newer(std::vector<EventRow> rows) {
    if (rows.empty()) return;
    beginInsertRows({}, 0, static_cast<int>(rows.size()) - 1);
    for (auto& row : rows) rows_.push_front(std::move(row));
    endInsertRows();
    if (rows_.size() <= kMaxFollowedRows) return;
    beginRemoveRows({}, static_cast<int>(kMaxFollowedRows), rowCount() - 1);
    rows_.resize(kMaxFollowedRows);
    complete_ = false;
    endRemoveRows();
}

void EventModel::take_problem(const Error* error) {
    problem_ = error ? error_text(*error) : QString();
}

bool EventModel::canFetchMore(const QModelIndex& parent) const {
    return !parent.isValid() && !complete_ && !inserting_ && !feed_.busy() && !rows_.empty();
}

void EventModel::fetchMore(const QModelIndex& parent) {
    if (canFetchMore(parent)) load_page();
}

int EventModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(rows_.size());
}

std::span<const ColumnTraits> EventModel::columns() const {
    return kColumns;
}

QVariant EventModel::exported(const EventRow& row, int column) const {
    switch (column) {
        case kEventTime:
            return QString::fromStdString(to_rfc3339(row.time));
        case kEventKind:
            return to_qstring(to_string(row.kind));
        case kEventRegion:
            return QString::fromStdString(row.region_id);
        case kEventPid:
            return QVariant::fromValue<qlonglong>(row.pid);
        case kEventUser:
            return row.uid;
        case kEventResult:
            return QString::fromStdString(row.result);
        case kEventDetail:
            return QString::fromStdString(row.detail);
        default:
            return QVariant::fromValue<qlonglong>(row.seq);
    }
}

QVariant EventModel::display(const EventRow& row, int column) const {
    switch (column) {
        case kEventTime:
            return clock_text(row.time);
        case kEventKind:
            return event_title(row.kind);
        case kEventPid:
            return row.pid ? QString::number(row.pid) : QString();
        case kEventUser:
            return user_text(row.uid);
        case kEventResult:
            return event_result(row);
        case kEventDetail:
            return event_detail(row);
        default:
            return exported(row, column);
    }
}

QVariant EventModel::cell(int number, int column, int role) const {
    const auto& row = event(number);
    switch (role) {
        case Qt::DisplayRole:
            return display(row, column);
        case kExportRole:
        case kSortRole:
            return exported(row, column);
        case kIdRole:
            return QString::fromStdString(row.region_id);
        case kToneRole:
            return static_cast<int>(column == kEventKind ? event_tone(row) : Tone::none);
        case kMonospaceRole:
            return column == kEventRegion || column == kEventTime;
        case kMutedRole:
            return column == kEventSeq || (column == kEventResult && event_result(row) == u"ok");
        case Qt::ToolTipRole:
            return column == kEventTime || column == kEventDetail ? exported(row, column)
                                                                  : QVariant();
        default:
            return {};
    }
}

}  // namespace snakepit::shm::ui
