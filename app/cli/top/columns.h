// SPDX-License-Identifier: MIT
// Which columns of a table fit, and how wide each is: they shrink first, then drop from the right.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "top/region_rows.h"
#include "top/surface.h"

namespace snakepit::shm::cli {

struct Column {
    std::string_view title;
    std::size_t least = 0, wanted = 0;  // terminal columns
    bool right = false;
    std::optional<SortKey> key{};
    bool whole = false;  // in full or at its least: something in between helps nobody
    int order = 1;       // those with a lower one grow first
};

struct CellText {
    std::string text;
    Style style = Style::normal;
};

class ColumnLayout {
  public:
    // The last one that fits takes what is left.
    ColumnLayout(std::vector<Column> columns, std::size_t width);

    // 0 for one that was dropped.
    std::size_t width(std::size_t i) const { return i < widths_.size() ? widths_[i] : 0; }
    void draw_titles(Surface& surface, std::size_t line, const Sorting& sorting) const;
    void draw(Surface& surface, std::size_t line, const std::vector<CellText>& cells) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::size_t> widths_;
};

// The end of a long id, which tells it from others: "…4f2a9c01".
std::string short_id(const std::string& id, std::size_t width);

}  // namespace snakepit::shm::cli
