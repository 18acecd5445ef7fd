// SPDX-License-Identifier: MIT
// A report's graphs as SVG elements. Colours are the page's variables --c0 to --c7.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/summary.h"

namespace snakepit::shm {

std::string html_escaped(std::string_view text);

// Events in each part of the period, their kinds on top of each other, with a legend.
std::string bar_chart(const ReportGraphs& graphs);
// One value over the period, counted or in bytes.
enum class Unit : std::uint8_t { count, bytes };
std::string step_chart(const ReportGraphs& graphs, const std::vector<std::uint64_t>& values,
                       std::string_view colour, Unit unit);

}  // namespace snakepit::shm
