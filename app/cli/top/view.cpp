// SPDX-License-Identifier: MIT
#include "top/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text_columns.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kNarrow = 60;     // columns
constexpr std::size_t kFewestRows = 3;  // of the table, before the head gives way

std::array<std::string, kViews> tab_texts(const Model& model, bool narrow) {
    const auto* sample = model.figures().last();
    const auto count = [narrow](std::string_view name, std::uint64_t n) {
        return narrow ? std::string(name) : fmt::format("{} {}", name, n);
    };
    return {count("1 Regions", model.regions().totals().regions),
            count("2 Programs", model.snapshot().clients.size()),
            count("3 Alerts", sample == nullptr ? 0 : sample->alerts_firing),
            count("4 Locks", sample == nullptr ? 0 : sample->locks_held)};
}

void draw_tabs(const Model& model, Surface& surface, std::size_t line) {
    const bool narrow = surface.columns() < kNarrow;
    const auto texts = tab_texts(model, narrow);
    std::size_t column = 0;
    for (std::size_t i = 0; i < kViews; ++i) {
        const bool open = model.view() == static_cast<View>(i);
        // Where there is no room only the open one says its name.
        const auto text = narrow && !open ? texts[i].substr(0, 1) : texts[i];
        column = surface.put(line, column, open ? "[" + text + "]" : " " + text + " ",
                             open ? Style::strong : Style::dim);
    }
    const auto& regions = model.regions();
    if (regions.filter().empty()) return;
    column = surface.put(
        line, column,
        fmt::format(" filtered: {} of {}", regions.totals().matching, regions.totals().regions),
        Style::warning);
    surface.put(line, column, "  " + regions.filter(), Style::dim);
}

// The most useful first: those that do not fit are left out.
std::vector<std::string_view> hints_of(Model& model) {
    switch (model.overlay().kind) {
        case Overlay::Kind::region:
            return {"Esc back", "arrows scroll", "d deallocate"};
        case Overlay::Kind::alert:
            return {"Esc back", "k acknowledge", "arrows scroll"};
        case Overlay::Kind::help:
        case Overlay::Kind::program:
            return {"Esc back", "arrows scroll"};
        case Overlay::Kind::none:
            break;
    }
    switch (model.view()) {
        case View::regions:
            return {"q quit",  "? help",       "/ filter",  "Enter details", "sraunh sort",
                    "p pause", "d deallocate", "c cleanup", "Tab view",      "+- interval"};
        case View::programs:
            return {"q quit",     "? help",  "/ filter", "Enter details",
                    "srahn sort", "p pause", "Tab view", "+- interval"};
        case View::alerts:
            return {"q quit", "? help", "Enter evidence", "k acknowledge", "p pause", "Tab view"};
        case View::locks:
            return {"q quit", "? help", "/ filter", "Enter details", "p pause", "Tab view"};
    }
    return {};
}

void draw_hints(Model& model, Surface& surface, std::size_t line) {
    std::size_t column = 0;
    for (const auto hint : hints_of(model)) {
        if (column + columns(hint) > surface.columns()) return;
        const auto key = hint.find(' ');
        column = surface.put(line, column, hint.substr(0, key), Style::strong);
        column = surface.put(line, column, hint.substr(key), Style::dim) + 2;
    }
}

// Over as many of the last lines as it takes, upwards from `last`.
void draw_notice(Surface& surface, std::size_t last, const std::string& text, Style style) {
    const auto pieces = wrapped(text, surface.columns());
    const auto shown = std::min(pieces.size(), last + 1);
    for (std::size_t i = 0; i < shown; ++i) {
        const auto line = last + 1 - shown + i;
        surface.clear_line(line);
        surface.put(line, 0, pieces[i], style);
    }
}

// The last lines: what is asked, typed or said, else the keys.
std::optional<Place> draw_foot(Model& model, Surface& surface, std::size_t line) {
    if (model.question()) {
        const auto column = surface.put(line, 0, *model.question() + " ", Style::warning);
        return Place{line, column};
    }
    if (const auto& typed = model.typed_filter()) {
        // The end of a long one is where typing goes on.
        auto shown = std::string_view(*typed);
        while (!shown.empty() && columns(shown) + 2 > surface.columns())
            shown.remove_prefix(next_step(shown).bytes);
        const auto column = surface.put(line, 0, "/" + std::string(shown), Style::accent);
        if (const auto& error = model.filter_error(); error && line > 0)
            draw_notice(surface, line - 1, error->sentence(), Style::critical);
        return Place{line, column};
    }
    if (!model.note().text.empty()) {
        draw_notice(surface, line, model.note().text,
                    model.note().bad ? Style::critical : Style::accent);
        return std::nullopt;
    }
    draw_hints(model, surface, line);
    return std::nullopt;
}

}  // namespace

std::optional<Place> draw(Model& model, Surface& surface) {
    const auto lines = surface.lines();
    if (lines == 0) return std::nullopt;
    // Tabs, titles, rows and the foot come first.
    const auto needed = kFewestRows + 3;
    const auto head = std::min(kHeadLines, lines - std::min(lines, needed));
    auto line = draw_head(model, surface, 0, head);
    if (line + 2 < lines) {
        draw_tabs(model, surface, line++);
        if (model.overlay().kind == Overlay::Kind::none)
            draw_table(model, surface, line, lines - 1);
        else
            draw_overlay(model, surface, line, lines - 1);
    }
    return draw_foot(model, surface, lines - 1);
}

}  // namespace snakepit::shm::cli
