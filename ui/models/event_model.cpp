// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/event_model.h"

#include "ui/models/event_text.h"
#include "ui/models/user_names.h"

namespace snakepit::shm::ui {

namespace {

// What a list that follows keeps; older rows are asked for again when they are scrolled to.
constexpr std::size_t kMaxFollowedRows = 20'000;

using Row = const EventRow&;

template <auto Show = Plain{}, typename Get>
constexpr auto make(const char* key, const char* title, Get get) {
    return column<EventRow, Show>(key, title, get);
}

QString pid_text(std::int64_t pid) {
    return pid ? QString::number(pid) : QString();
}

constexpr std::array kColumns{
    make<clock_text>("time", "Time", [](Row r) { return r.time; })
        .in_monospace()
        .with_value_as_tip(),
    make<event_title>("kind", "Event", [](Row r) { return r.kind; }).as_chip(severity_of),
    make(
        "region_id", "Region", [](Row r) -> auto& { return r.region_id; })
        .in_monospace(),
    make<pid_text>("pid", "PID", [](Row r) { return r.pid; }),
    make<user_text>("uid", "User", [](Row r) { return r.uid; }).to_the_left(),
    make(
        "result", "Result", [](Row r) -> auto& { return r.result; })
        .shown_as(event_result)
        .muted_if([](Row r) { return r.result.empty() || r.result == "ok"; }),
    make(
        "detail", "Details", [](Row r) -> auto& { return r.detail; })
        .shown_as(event_detail)
        .with_value_as_tip(),
    make("seq", "No.", [](Row r) { return r.seq; }).muted_if([](Row) { return true; }),
};
static_assert(kColumns.size() == kEventColumns);

}  // namespace

EventModel::EventModel(std::unique_ptr<EventSource> source, QObject* parent)
    : ColumnModel(parent), feed_(std::move(source)) {}

EventQuery EventModel::base_query() const {
    EventQuery query;
    query.kinds = kinds_;
    query.region_id = region_id_;
    query.words = words_;
    query.since = since_;
    query.until = until_;
    query.limit = page_size_;
    return query;
}

void EventModel::set_query(std::vector<EventKind> kinds, const QString& words) {
    kinds_ = std::move(kinds);
    region_id_.reset();
    words_.clear();
    // A whole id is found by an index.
    if (auto id = words.trimmed().toStdString(); RegionId::parse(id))
        region_id_ = std::move(id);
    else
        for (const auto& word : words.toLower().split(u' ', Qt::SkipEmptyParts))
            words_.push_back(word.toStdString());
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
        set_problem(result ? nullptr : &result.error());
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
        set_problem(result ? nullptr : &result.error());
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

void EventModel::set_problem(const Error* error) {
    problem_ = error ? error_text(*error) : QString();
}

int EventModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(rows_.size());
}

std::span<const Column<EventRow>> EventModel::columns() const {
    return kColumns;
}

QVariant EventModel::cell(int number, int column, int role) const {
    return role == kIdRole ? QString::fromStdString(row(number)->region_id)
                           : ColumnModel::cell(number, column, role);
}

}  // namespace snakepit::shm::ui
