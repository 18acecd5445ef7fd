// SPDX-License-Identifier: MIT
#include "audit/report_chart.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

// The drawing's own units; it is shown as wide as the page.
constexpr double kWidth = 1000, kHeight = 240, kLeft = 64, kRight = 12, kTop = 10, kBottom = 26;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr int kTicks = 4;

// The end of an axis that shows `most`: 1, 2, 4, 5 or 8 times a power of ten, so that its quarters
// are numbers a person would write.
double axis_end(double most) {
    if (most <= kTicks) return kTicks;
    const auto power = std::pow(10.0, std::floor(std::log10(most)));
    for (const double factor : {1.0, 2.0, 4.0, 8.0, 10.0, 20.0})
        if (factor * power >= most) return factor * power;
    return most;
}

double x_of(std::size_t part) {
    return kLeft + kPlotWidth * static_cast<double>(part) / static_cast<double>(kGraphPoints);
}

double y_of(double value, double end) {
    return kTop + kPlotHeight * (1 - value / end);
}

std::string time_at(const ReportGraphs& graphs, double share) {
    const auto length = static_cast<double>(graphs.to.micros - graphs.from.micros);
    const auto text = to_rfc3339({graphs.from.micros + static_cast<std::int64_t>(length * share)});
    constexpr double kTwoDays = 2 * 86'400e6;
    // "2026-11-22T22:17:35.000123Z"
    if (text.size() < 19) return text;
    return length > kTwoDays ? text.substr(0, 10) : text.substr(11, 8);
}

std::string axes(const ReportGraphs& graphs, double end, Unit unit) {
    const auto label = [&](double value) {
        return unit == Unit::bytes ? format_size(static_cast<std::uint64_t>(value))
                                   : fmt::format("{:.0f}", value);
    };
    std::string out;
    for (int i = 0; i <= kTicks; ++i) {
        const auto share = static_cast<double>(i) / kTicks;
        const auto y = y_of(end * share, end);
        out += fmt::format(R"(<line class="axis" x1="{:.0f}" x2="{:.0f}" y1="{:.1f}" y2="{:.1f}"/>)"
                           R"(<text x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>)",
                           kLeft, kWidth - kRight, y, y, kLeft - 8, y + 4, label(end * share));
        const auto* anchor = i == 0 ? "start" : i == kTicks ? "end" : "middle";
        out += fmt::format(R"(<text x="{:.1f}" y="{:.0f}" text-anchor="{}">{}</text>)",
                           kLeft + kPlotWidth * share, kHeight - 6, anchor, time_at(graphs, share));
    }
    return out;
}

std::string drawing(const std::string& content) {
    return fmt::format(
        R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" xmlns="http://www.w3.org/2000/svg">{}</svg>)",
        kWidth, kHeight, content);
}

}  // namespace

std::string bar_chart(const ReportGraphs& graphs) {
    std::vector<std::uint64_t> totals(kGraphPoints);
    for (const auto& [kind, parts] : graphs.events)
        for (std::size_t p = 0; p < kGraphPoints; ++p) totals[p] += parts[p];
    const auto end = axis_end(static_cast<double>(*std::max_element(totals.begin(), totals.end())));
    auto out = axes(graphs, end, Unit::count);
    std::string legend;
    std::vector<double> below(kGraphPoints);
    for (std::size_t i = 0; i < graphs.events.size(); ++i) {
        const auto& [kind, parts] = graphs.events[i];
        for (std::size_t p = 0; p < kGraphPoints; ++p) {
            if (parts[p] == 0) continue;
            const auto value = static_cast<double>(parts[p]);
            const auto top = y_of(below[p] + value, end);
            out += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" )"
                               R"x(style="fill:var(--c{})"><title>{} {}</title></rect>)x",
                               x_of(p) + 0.5, top, x_of(p + 1) - x_of(p) - 1,
                               y_of(below[p], end) - top, i, parts[p], kind);
            below[p] += value;
        }
        legend += fmt::format(R"x(<span><i style="background:var(--c{})"></i>{}</span>)x", i, kind);
    }
    return drawing(out) + fmt::format(R"(<div class="legend">{}</div>)", legend);
}

std::string step_chart(const ReportGraphs& graphs, const std::vector<std::uint64_t>& values,
                       std::string_view colour, Unit unit) {
    if (values.empty()) return {};
    constexpr auto kMost = std::uint64_t{1} << 62;
    const auto most = std::min(kMost, *std::max_element(values.begin(), values.end()));
    const auto end = unit == Unit::bytes
                         ? static_cast<double>(std::bit_ceil(std::max<std::uint64_t>(most, 4096)))
                         : axis_end(static_cast<double>(most));
    std::string line;
    for (std::size_t p = 0; p < values.size(); ++p) {
        const auto y = y_of(static_cast<double>(values[p]), end);
        line += fmt::format("{}{:.1f} {:.1f}L{:.1f} {:.1f}", p == 0 ? "M" : "L", x_of(p), y,
                            x_of(p + 1), y);
    }
    const auto floor = y_of(0, end);
    const auto area = fmt::format("{}L{:.1f} {:.1f}L{:.1f} {:.1f}Z", line, x_of(values.size()),
                                  floor, x_of(0), floor);
    return drawing(axes(graphs, end, unit) +
                   fmt::format(R"(<path d="{}" style="fill:{};opacity:.15"/>)"
                               R"(<path d="{}" style="fill:none;stroke:{};stroke-width:2"/>)",
                               area, colour, line, colour));
}

}  // namespace snakepit::shm
