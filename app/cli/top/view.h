// SPDX-License-Identifier: MIT
// Draws a model. The same functions fill a terminal and the frame that is printed once.
#pragma once

#include <cstddef>
#include <optional>

#include "top/columns.h"
#include "top/model.h"
#include "top/surface.h"

namespace snakepit::shm::cli {

struct Place {
    std::size_t line = 0, column = 0;
};

// The whole screen, whatever its size; where the cursor is to blink, if anywhere. What a model has
// chosen is moved to where it can be seen.
std::optional<Place> draw(Model& model, Surface& surface);

// The head's lines from `line` on, the most important ones where there is room for `most` only;
// answers the line behind.
std::size_t draw_head(const Model& model, Surface& surface, std::size_t line, std::size_t most);
inline constexpr std::size_t kHeadLines = 7;

// Titles and rows of the view that is open, on the lines from `line` to before `end`.
void draw_table(Model& model, Surface& surface, std::size_t line, std::size_t end);

// What lies over the table, on the same lines.
void draw_overlay(Model& model, Surface& surface, std::size_t line, std::size_t end);

// The table of regions by itself, for those who print all of it.
ColumnLayout region_columns(std::size_t width);
std::vector<CellText> region_cells(const Model& model, const RegionRow& row,
                                   const ColumnLayout& layout);

// "350 ns", "1.2 ms"; "-" for 0.
std::string nanos_text(std::uint64_t nanos);
// Between the two, at most six letters: "0.4s", "12s", "3m05s", "2h10m", "5d03h"; "-" for never.
std::string span_text(Timestamp from, Timestamp to);

}  // namespace snakepit::shm::cli
