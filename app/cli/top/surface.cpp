// SPDX-License-Identifier: MIT
#include "top/surface.h"

#include <algorithm>

#include "text_columns.h"

namespace snakepit::shm::cli {

std::string Surface::text(std::size_t line) const {
    std::string out;
    for (std::size_t i = 0; i < columns_; ++i) {
        const auto& one = cell(line, i);
        if (one.columns == 0) continue;
        append_utf8(out, one.base);
        if (one.mark != 0) append_utf8(out, one.mark);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
}

std::size_t Surface::put(std::size_t line, std::size_t column, std::string_view utf8, Style style,
                         std::size_t width) {
    if (line >= lines_ || column >= columns_) return column;
    const auto end = column + std::min(width, columns_ - column);
    auto* row = &cells_[line * columns_];
    auto* last = static_cast<Cell*>(nullptr);
    for (auto step = next_step(utf8); step.bytes > 0; step = next_step(utf8)) {
        utf8.remove_prefix(step.bytes);
        if (step.columns == 0) {
            if (last != nullptr && last->mark == 0) last->mark = step.code;
            continue;
        }
        const auto wide = static_cast<std::size_t>(step.columns);
        if (column + wide > end) break;
        last = &row[column];
        *last = {step.code, 0, style, static_cast<std::uint8_t>(wide)};
        if (wide == 2) row[column + 1] = {U' ', 0, style, 0};
        column += wide;
    }
    return column;
}

void Surface::paint(std::size_t line, Style style) {
    if (line >= lines_) return;
    for (std::size_t i = 0; i < columns_; ++i) cells_[line * columns_ + i].style = style;
}

void Surface::clear_line(std::size_t line) {
    if (line >= lines_) return;
    std::fill_n(cells_.begin() + static_cast<std::ptrdiff_t>(line * columns_), columns_, Cell{});
}

}  // namespace snakepit::shm::cli
