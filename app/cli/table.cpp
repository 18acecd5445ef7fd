// SPDX-License-Identifier: MIT
#include "table.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/ids.h"
#include "text_columns.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kGap = 2;            // spaces between columns
constexpr std::size_t kShortestId = 8;     // digits
constexpr std::size_t kLeastWrapped = 24;  // columns of the last one

std::string_view code_of(Tone tone) {
    switch (tone) {
        case Tone::plain:
            break;
        case Tone::title:
            return "\x1b[1m";
        case Tone::good:
            return "\x1b[32m";
        case Tone::warning:
            return "\x1b[33m";
        case Tone::bad:
            return "\x1b[1;31m";
        case Tone::dim:
            return "\x1b[2m";
    }
    return {};
}

// So many digits from the end tell all these ids apart.
std::size_t distinct_digits(const std::vector<std::string>& ids) {
    for (auto digits = kShortestId;; ++digits) {
        std::set<std::string_view> ends;
        for (const auto& id : ids)
            ends.insert(std::string_view(id).substr(id.size() - std::min(id.size(), digits)));
        if (ends.size() == std::set<std::string_view>(ids.begin(), ids.end()).size()) return digits;
    }
}

}  // namespace

std::string toned(std::string_view text, Tone tone, bool color) {
    const auto code = color ? code_of(tone) : std::string_view{};
    return code.empty() ? sanitized(text) : fmt::format("{}{}\x1b[0m", code, sanitized(text));
}

Table::Table(std::vector<std::string> titles) {
    for (auto& title : titles) {
        auto& column = columns_.emplace_back();
        column.right = title.ends_with('>');
        column.ids = title.ends_with('#');
        const bool whole = title.ends_with('!');
        if (whole) column.least = std::string::npos;
        if (column.right || column.ids || whole) title.pop_back();
        column.title = std::move(title);
    }
}

void Table::add(std::vector<Toned> cells) {
    rows_.push_back(std::move(cells));
}

std::size_t Table::total(const std::vector<Column>& columns) {
    return std::accumulate(
        columns.begin(), columns.end(), (columns.size() - 1) * kGap,
        [](std::size_t sum, const Column& column) { return sum + column.width; });
}

std::vector<Table::Column> Table::measured() const {
    auto out = columns_;
    for (auto& column : out) column.width = columns(column.title);
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            out[i].width = std::max(out[i].width, columns(row[i].text));
    return out;
}

void Table::shorten_ids(std::vector<Column>& measured) {
    for (std::size_t i = 0; i < measured.size(); ++i) {
        if (!measured[i].ids) continue;
        std::vector<std::string> ids;
        for (const auto& row : rows_)
            if (i < row.size() && RegionId::parse(row[i].text)) ids.push_back(row[i].text);
        const auto digits = distinct_digits(ids);
        for (auto& row : rows_)
            if (i < row.size() && RegionId::parse(row[i].text) && digits < row[i].text.size())
                row[i].text = row[i].text.substr(row[i].text.size() - digits);
    }
}

std::size_t Table::cuttable(const Column& column) {
    const bool fixed = column.right || column.ids || column.width <= column.least;
    return fixed ? 0 : column.width;
}

void Table::fit(std::vector<Column>& columns, std::size_t width) {
    auto& last = columns.back();
    const auto over = total(columns) - std::min(total(columns), width);
    if (!last.right) last.width -= std::min(over, last.width - std::min(last.width, kLeastWrapped));
    while (total(columns) > width) {
        const auto widest = std::max_element(
            columns.begin(), columns.end() - 1,
            [](const Column& a, const Column& b) { return cuttable(a) < cuttable(b); });
        if (widest == columns.end() - 1 || cuttable(*widest) == 0) return;
        --widest->width;
    }
}

std::vector<Table::Column>::iterator Table::column_of(std::string_view title) {
    return std::find_if(columns_.begin(), columns_.end(),
                        [&](const Column& column) { return column.title == title; });
}

void Table::keep_at_least(std::string_view title, std::size_t least) {
    column_of(title)->least = least;
}

void Table::leave_out(std::string_view title) {
    const auto column = column_of(title);
    const auto at = column - columns_.begin();
    columns_.erase(column);
    for (auto& row : rows_) row.erase(row.begin() + at);
}

std::string Table::line(const std::vector<Column>& columns, const std::vector<Toned>& cells,
                        std::size_t width, bool color) {
    std::string out, open;  // a line, and spaces that are only written when something follows
    std::size_t used = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto& column = columns[i];
        if (i > 0) open += std::string(kGap, ' ');
        used += i > 0 ? kGap : 0;
        std::vector<std::string> pieces{cells[i].text};
        if (width > 0 && i + 1 == columns.size() && !column.right)
            pieces = wrapped(sanitized(cells[i].text), column.width, 0);
        for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
            if (piece > 0) out += '\n' + std::string(used, ' ');
            const auto text = sanitized(shortened(pieces[piece], column.width));
            const std::string space(column.width - std::min(column.width, cli::columns(text)), ' ');
            if (column.right) open += space;
            if (!text.empty()) out += std::exchange(open, {}) + toned(text, cells[i].tone, color);
            if (!column.right) open += space;
            if (piece + 1 < pieces.size()) open.clear();
        }
        used += column.width;
    }
    return out + '\n';
}

std::string Table::str(std::size_t width, bool color) const {
    auto shown = *this;
    auto columns = shown.measured();
    if (width > 0 && total(columns) > width) {
        shown.shorten_ids(columns);
        columns = shown.measured();
        fit(columns, width);
        for (const auto& title : dispensable_) {
            if (total(columns) <= width) break;
            shown.leave_out(title);
            columns = shown.measured();
            fit(columns, width);
        }
    }
    std::vector<Toned> titles;
    for (const auto& column : columns) titles.emplace_back(column.title, Tone::title);
    const bool titled =
        std::any_of(columns.begin(), columns.end(), [](const auto& c) { return !c.title.empty(); });
    std::string out;
    if (titled) out += line(columns, titles, width, color);
    for (const auto& row : shown.rows_) out += line(columns, row, width, color);
    return out;
}

}  // namespace snakepit::shm::cli
