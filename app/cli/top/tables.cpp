// SPDX-License-Identifier: MIT
// The four tables.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "layout/client_words.h"
#include "text_columns.h"
#include "top/view.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kIdColumns = 37;

Style style_of(RegionState state) {
    switch (state) {
        case RegionState::live:
            return Style::normal;
        case RegionState::orphan:
        case RegionState::revoked:
            return Style::warning;
        case RegionState::damaged:
            return Style::critical;
        case RegionState::closing:
        case RegionState::quarantined:
            return Style::dim;
    }
    return Style::normal;
}

// "python (1234)"; where that is too long the name gives way, and the number stays.
std::string short_label(const std::string& name, std::int64_t pid, std::size_t width) {
    auto label = process_label(name, pid);
    if (name.empty() || columns(label) <= width) return label;
    const auto number = fmt::format("({})", pid);
    if (number.size() + 2 > width) return fmt::format("{}", pid);
    auto cut = truncated(name, width - number.size() - 1);
    cut.erase(cut.find_last_not_of(' ') + 1);
    return cut + "…" + number;
}

// Who holds it; where that is too long their numbers alone.
std::string holders_of(const RegionRow& row, std::size_t width) {
    const auto named = row.info.references.size();
    const auto more = row.holders > named ? fmt::format(", and {} more", row.holders - named) : "";
    std::string labels, numbers;
    for (const auto& reference : row.info.references) {
        const auto* gap = labels.empty() ? "" : ", ";
        const auto count = reference.count > 1 ? fmt::format(" ×{}", reference.count) : "";
        labels += gap + process_label(reference.process, reference.pid) + count;
        numbers += fmt::format("{}{}", gap, reference.pid);
    }
    labels += more;
    if (labels.empty()) return "-";
    return columns(labels) <= width ? labels : numbers + more;
}

std::string joined(const std::string& session, const std::string& worker) {
    if (session.empty() || worker.empty()) return session + worker;
    return worker + "/" + session;
}

// Rows of one table in their lines, the chosen one in its own style.
class Rows {
  public:
    Rows(Surface& surface, const ColumnLayout& layout, std::size_t line)
        : surface_(surface), layout_(layout), line_(line) {}
    void add(const std::vector<CellText>& cells, bool chosen) {
        layout_.draw(surface_, line_, cells);
        if (chosen) surface_.paint(line_, Style::selected);
        ++line_;
    }

  private:
    Surface& surface_;
    const ColumnLayout& layout_;
    std::size_t line_;
};

void draw_regions(Model& model, Surface& surface, std::size_t line, std::size_t end) {
    const auto layout = region_columns(surface.columns());
    layout.draw_titles(surface, line++, model.sorting());
    const auto page = model.regions().page(model.cursor(), end - line, model.sorting());
    if (page.rows.empty()) {
        surface.put(line, 0,
                    model.regions().totals().regions == 0 ? "No regions. Try: snakepit-shm demo"
                                                          : "No region matches the filter.",
                    Style::dim);
        return;
    }
    Rows rows(surface, layout, line);
    for (std::size_t i = 0; i < page.rows.size(); ++i)
        rows.add(region_cells(model, *page.rows[i], layout), page.chosen == i);
}

void draw_programs(Model& model, Surface& surface, std::size_t line, std::size_t end) {
    const ColumnLayout layout({{"PROCESS", 12, 16, false, SortKey::name},
                               {"PID", 7, 8, true},
                               {"WORKER", 9, 20},
                               {"REFS", 6, 8, true, SortKey::references},
                               {"REGIONS", 8, 9, true, SortKey::holders},
                               {"HOLDS", 9, 10, true, SortKey::size},
                               {"SINCE", 7, 8, true, SortKey::age},
                               {"STATE", 9, 19},
                               {"UID", 5, 7, true},
                               {"SESSION", 8, 24}},
                              surface.columns());
    layout.draw_titles(surface, line++, model.sorting());
    const auto all = programs(model.snapshot().clients, model.regions());
    auto ranked = ranking(all, model.sorting().key);
    const auto page = ranked.page(model.cursor(), end - line, model.sorting().reversed);
    if (page.indexes.empty()) surface.put(line, 0, "No programs are connected.", Style::dim);
    Rows rows(surface, layout, line);
    for (std::size_t i = 0; i < page.indexes.size(); ++i) {
        const auto& one = all[page.indexes[i]];
        const CellText state = one.hostile ? CellText{"hostile", Style::critical}
                               : one.connected
                                   ? CellText{"connected", Style::normal}
                                   : CellText{std::string(kNotReconnected), Style::warning};
        rows.add({{one.process.empty() ? "?" : one.process},
                  {fmt::format("{}", one.pid)},
                  {one.worker.empty() ? one.pool : one.worker},
                  {fmt::format("{}", one.references)},
                  {fmt::format("{}", one.regions)},
                  {format_size(one.bytes)},
                  {span_text(one.since, model.at())},
                  state,
                  {fmt::format("{}", one.uid)},
                  {one.session}},
                 page.chosen == i);
    }
}

// Firing before pending before resolved, and the worse and newer first.
std::int64_t urgency(const Alert& alert) {
    const auto state = alert.state == Alert::State::firing    ? 2
                       : alert.state == Alert::State::pending ? 1
                                                              : 0;
    const auto open = alert.acknowledged_by.empty() ? 1 : 0;
    constexpr std::int64_t kIds = std::int64_t{1} << 40;  // more than there will be
    return ((state * 2 + open) * 4 + static_cast<int>(alert.severity)) * kIds +
           static_cast<std::int64_t>(std::min<std::uint64_t>(alert.id, kIds - 1));
}

Style style_of(const Alert& alert) {
    if (alert.state != Alert::State::firing) return Style::dim;
    if (alert.severity == AlertSeverity::critical) return Style::critical;
    return alert.severity == AlertSeverity::warning ? Style::warning : Style::normal;
}

// What stands in place of rows that are not there.
template <typename T>
void draw_why_empty(Surface& surface, std::size_t line, const Polled<T>& answer,
                    std::string_view none) {
    if (answer.error)
        for (const auto& piece : wrapped(answer.error->sentence(), surface.columns()))
            surface.put(line++, 0, piece, Style::critical);
    else
        surface.put(line, 0, answer.at.micros == 0 ? "Waiting for the manager …" : none,
                    Style::dim);
}

void draw_alert_rows(Model& model, Surface& surface, std::size_t line, std::size_t end) {
    const ColumnLayout layout({{"SEVERITY", 8, 9},
                               {"ALERT", 16, 34},
                               {"SUBJECT", 10, 28, false, {}, false, 2},
                               {"VALUE", 9, 10, true},
                               {"SINCE", 7, 8, true},
                               {"STATE", 12, 14},
                               {"EVIDENCE", 12, 60, false, {}, false, 3}},
                              surface.columns());
    layout.draw_titles(surface, line++, model.sorting());
    const auto& answer = model.results().alerts;
    Ranking ranked;
    for (std::uint32_t i = 0; i < answer.value.size(); ++i)
        ranked.add({urgency(answer.value[i]), {0, answer.value[i].id}, i});
    const auto page = ranked.page(model.cursor(), end - line, false);
    if (page.indexes.empty()) draw_why_empty(surface, line, answer, "No alerts.");
    Rows rows(surface, layout, line);
    for (std::size_t i = 0; i < page.indexes.size(); ++i) {
        const auto& one = answer.value[page.indexes[i]];
        const auto state =
            one.state == Alert::State::firing && !one.acknowledged_by.empty()
                ? std::string("acknowledged")
                : std::string(to_string(one.state)) + (one.silenced ? ", silenced" : "");
        rows.add({{std::string(to_string(one.severity)), style_of(one)},
                  {one.title.empty() ? one.rule : one.title, style_of(one)},
                  {one.subject},
                  {value_text(one.value, one.unit)},
                  {span_text(one.since, model.at())},
                  {state},
                  {one.evidence}},
                 page.chosen == i);
    }
}

template <typename T>
auto longest(const std::vector<T>& all) {
    return std::min_element(all.begin(), all.end(),
                            [](const T& a, const T& b) { return a.since < b.since; });
}

// Where somebody waits before where a lock is only held, and the longest first.
std::int64_t urgency(const RegionLocks& locks, Timestamp at) {
    constexpr std::int64_t kWaitedFor = INT64_MAX / 2;
    if (!locks.waiters.empty())
        return kWaitedFor + (at.micros - longest(locks.waiters)->since.micros);
    return locks.holders.empty() ? 0 : at.micros - longest(locks.holders)->since.micros;
}

std::vector<CellText> lock_cells(const RegionLocks& locks, Timestamp at,
                                 const ColumnLayout& layout) {
    const auto holder = longest(locks.holders);
    const auto waiter = longest(locks.waiters);
    const bool held = holder != locks.holders.end(), waits = waiter != locks.waiters.end();
    auto who = held ? process_label(holder->process, holder->pid) : std::string("-");
    if (locks.holder_count > 1) who += fmt::format(" and {} more", locks.holder_count - 1);
    return {{short_id(locks.id.str(), layout.width(0)),
             locks.inconsistent ? Style::warning : Style::normal},
            {who},
            {held ? std::string(holder->mode == AccessMode::read_write ? "write" : "read") : "-"},
            {held ? span_text(holder->since, at) : "-"},
            {fmt::format("{}", locks.waiter_count),
             locks.waiter_count > 0 ? Style::warning : Style::normal},
            {waits ? span_text(waiter->since, at) : "-"},
            {waits ? process_label(waiter->process, waiter->pid) : "-"},
            {locks.inconsistent ? "inconsistent: a writer died in it" : ""}};
}

void draw_locks(Model& model, Surface& surface, std::size_t line, std::size_t end) {
    const ColumnLayout layout({{"REGION", 9, kIdColumns, false, {}, true, 2},
                               {"HELD BY", 14, 30},
                               {"MODE", 5, 6},
                               {"FOR", 7, 8, true},
                               {"WAITING", 7, 8, true},
                               {"LONGEST", 7, 8, true},
                               {"FIRST", 14, 24},
                               {"NOTE", 8, 28, false, {}, false, 3}},
                              surface.columns());
    layout.draw_titles(surface, line++, model.sorting());
    const auto& answer = model.results().locks;
    Ranking ranked;
    for (std::uint32_t i = 0; i < answer.value.size(); ++i) {
        const auto& locks = answer.value[i];
        ranked.add({urgency(locks, model.at()), {locks.id.micros, locks.id.random}, i});
    }
    const auto page = ranked.page(model.cursor(), end - line, false);
    if (page.indexes.empty()) draw_why_empty(surface, line, answer, "No region is locked.");
    Rows rows(surface, layout, line);
    for (std::size_t i = 0; i < page.indexes.size(); ++i)
        rows.add(lock_cells(answer.value[page.indexes[i]], model.at(), layout), page.chosen == i);
}

}  // namespace

ColumnLayout region_columns(std::size_t width) {
    return {{{"ID", 9, kIdColumns, false, SortKey::name, true, 4},
             {"SIZE", 9, 10, true, SortKey::size},
             {"REFS", 5, 6, true, SortKey::references},
             {"STATE", 7, 11},
             {"OWNER", 12, 22},
             {"WORKER", 8, 20, false, {}, false, 3},
             {"AGE", 6, 7, true, SortKey::age},
             {"USED", 6, 7, true, SortKey::used},
             {"HOLDERS", 10, 24, false, SortKey::holders, false, 2}},
            width};
}

std::vector<CellText> region_cells(const Model& model, const RegionRow& row,
                                   const ColumnLayout& layout) {
    const auto& info = row.info;
    return {{short_id(info.id.str(), layout.width(0))},
            {format_size(info.size)},
            {fmt::format("{}", info.reference_count)},
            {std::string(to_string(info.state)), style_of(info.state)},
            {short_label(info.owner_process, info.owner_pid, layout.width(4))},
            {joined(info.session, info.worker)},
            {span_text(info.created_at, model.at())},
            {span_text(info.last_accessed, model.at())},
            {holders_of(row, layout.width(8)), row.holders == 0 ? Style::dim : Style::normal}};
}

void draw_table(Model& model, Surface& surface, std::size_t line, std::size_t end) {
    if (line + 1 >= end) return;
    switch (model.view()) {
        case View::regions:
            return draw_regions(model, surface, line, end);
        case View::programs:
            return draw_programs(model, surface, line, end);
        case View::alerts:
            return draw_alert_rows(model, surface, line, end);
        case View::locks:
            return draw_locks(model, surface, line, end);
    }
}

}  // namespace snakepit::shm::cli
