// SPDX-License-Identifier: MIT
// A rectangle of cells that a view is drawn into: a terminal's screen, a page of plain text, a
// test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snakepit::shm::cli {

// What a text means; the screen decides how that looks, also without colours.
enum class Style : std::uint8_t {
    normal,
    dim,
    strong,
    title,     // of a table
    selected,  // the chosen row
    good,
    warning,
    critical,
    accent,
};
inline constexpr std::size_t kStyles = 9;

struct Cell {
    char32_t base = U' ';
    char32_t mark = 0;  // combines with the base; a second one is left out
    Style style = Style::normal;
    std::uint8_t columns = 1;  // 2: the next cell is covered by this one; 0: it is covered
};

class Surface {
  public:
    Surface(std::size_t columns, std::size_t lines)
        : columns_(columns), lines_(lines), cells_(columns * lines) {}

    std::size_t columns() const { return columns_; }
    std::size_t lines() const { return lines_; }
    const Cell& cell(std::size_t line, std::size_t column) const {
        return cells_[line * columns_ + column];
    }
    // The text of a line without the spaces at its end.
    std::string text(std::size_t line) const;

    // Writes what fits, sanitized, at most `width` columns of it; answers the column behind.
    // Places outside are nobody's error: nothing is written.
    std::size_t put(std::size_t line, std::size_t column, std::string_view utf8,
                    Style style = Style::normal, std::size_t width = SIZE_MAX);
    // The whole line takes the style, its text stays.
    void paint(std::size_t line, Style style);
    void clear_line(std::size_t line);

  private:
    std::size_t columns_, lines_;
    std::vector<Cell> cells_;
};

}  // namespace snakepit::shm::cli
