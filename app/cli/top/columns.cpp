// SPDX-License-Identifier: MIT
#include "top/columns.h"

#include <algorithm>
#include <numeric>

#include "text_columns.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kGap = 1;

std::size_t needed(const std::vector<std::size_t>& widths) {
    return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) +
           kGap * (widths.empty() ? 0 : widths.size() - 1);
}

}  // namespace

ColumnLayout::ColumnLayout(std::vector<Column> columns, std::size_t width)
    : columns_(std::move(columns)) {
    for (const auto& column : columns_) widths_.push_back(column.least);
    while (widths_.size() > 1 && needed(widths_) > width) widths_.pop_back();
    columns_.resize(widths_.size());
    auto left = width - std::min(width, needed(widths_));

    std::vector<std::size_t> turns(columns_.size());
    std::iota(turns.begin(), turns.end(), 0);
    std::stable_sort(turns.begin(), turns.end(), [this](std::size_t a, std::size_t b) {
        return columns_[a].order < columns_[b].order;
    });
    for (const auto i : turns) {
        const auto more = columns_[i].wanted - std::min(columns_[i].wanted, columns_[i].least);
        if (columns_[i].whole && more > left) continue;
        const auto given = std::min(more, left);
        widths_[i] += given;
        left -= given;
    }
    if (!widths_.empty()) widths_.back() += left;
}

void ColumnLayout::draw_titles(Surface& surface, std::size_t line, const Sorting& sorting) const {
    std::vector<CellText> cells;
    for (const auto& column : columns_) {
        std::string title(column.title);
        if (column.key == sorting.key) title += sorting.reversed ? "▲" : "▼";
        cells.push_back({std::move(title), Style::title});
    }
    draw(surface, line, cells);
    surface.paint(line, Style::title);
}

void ColumnLayout::draw(Surface& surface, std::size_t line,
                        const std::vector<CellText>& cells) const {
    std::size_t column = 0;
    for (std::size_t i = 0; i < widths_.size() && i < cells.size(); ++i) {
        const auto& cell = cells[i];
        const auto have = columns_[i].right ? std::min(cli::columns(cell.text), widths_[i]) : 0;
        const auto start = columns_[i].right ? column + widths_[i] - have : column;
        surface.put(line, start, cell.text, cell.style, widths_[i] - (start - column));
        column += widths_[i] + kGap;
    }
}

std::string short_id(const std::string& id, std::size_t width) {
    if (id.size() <= width || width == 0) return id;
    return "…" + id.substr(id.size() - (width - 1));
}

}  // namespace snakepit::shm::cli
