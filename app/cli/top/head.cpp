// SPDX-License-Identifier: MIT
// The head: how the instance and the host do.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/pluralize.h"
#include "base/units.h"
#include "top/view.h"

namespace snakepit::shm::cli {

namespace {

using layout::Timed;

// Writes one text behind the other on a line.
class Line {
  public:
    Line(Surface& surface, std::size_t line) : surface_(surface), line_(line) {}
    Line& add(std::string_view text, Style style = Style::normal) {
        column_ = surface_.put(line_, column_, text, style);
        return *this;
    }
    std::size_t room() const { return surface_.columns() - std::min(surface_.columns(), column_); }

  private:
    Surface& surface_;
    std::size_t line_;
    std::size_t column_ = 0;
};

void draw_name(const Model& model, Line line) {
    line.add("Snakepit SHM", Style::strong).add("  " + model.instance(), Style::accent);
    if (model.silent()) {
        line.add("  ").add(fmt::format("NO MANAGER, last heartbeat {} ago",
                                       span_text(model.snapshot().heartbeat, model.at())),
                           Style::critical);
    } else {
        const auto& snapshot = model.snapshot();
        line.add(fmt::format("  manager {}  up {}  heartbeat {} ago", snapshot.manager_pid,
                             span_text(snapshot.started_at, snapshot.at),
                             span_text(snapshot.heartbeat, snapshot.at)));
    }
    if (model.paused()) line.add("  ").add("PAUSED", Style::warning);
    const auto millis = model.interval().count();
    line.add(fmt::format("  every {}", format_duration(millis)), Style::dim);
}

void draw_counts(const Model& model, Line line) {
    const auto& totals = model.regions().totals();
    line.add("Regions ", Style::dim).add(fmt::format("{}", totals.regions));
    if (totals.orphans > 0)
        line.add(fmt::format(" ({})", pluralize(totals.orphans, "orphan")), Style::warning);
    line.add("  References ", Style::dim).add(fmt::format("{}", totals.references));
    line.add("  Programs ", Style::dim).add(fmt::format("{}", model.snapshot().clients.size()));
    const auto* sample = model.figures().last();
    if (sample == nullptr) return;
    line.add("  Locks ", Style::dim).add(fmt::format("{}", sample->locks_held));
    if (sample->lock_waiters > 0)
        line.add(fmt::format(" ({} waiting)", sample->lock_waiters), Style::warning);
    if (sample->damaged > 0)
        line.add(fmt::format("  {} damaged", sample->damaged), Style::critical);
}

constexpr std::size_t kShortBar = 10, kLongBar = 40;

// What regions use, what is reserved for them beyond that, what others take, and what is free.
void draw_bar(const layout::Sample& sample, Line& line, std::size_t width, Style fill) {
    const auto total = std::max<std::uint64_t>(sample.shm_total, 1);
    const auto cells = [&](std::uint64_t bytes) {
        const auto share = static_cast<double>(std::min(bytes, total)) / static_cast<double>(total);
        return static_cast<std::size_t>(share * static_cast<double>(width) + 0.5);
    };
    const auto taken = total - std::min(sample.shm_free, total);
    const auto reserved = std::min(std::max(sample.bytes_reserved, sample.bytes_used), taken);
    const auto used = std::min(sample.bytes_used, reserved);
    line.add("[");
    std::size_t drawn = 0;
    const auto part = [&](std::uint64_t up_to, std::string_view glyph, Style style) {
        for (; drawn < std::min(cells(up_to), width); ++drawn) line.add(glyph, style);
    };
    part(used, "█", fill);
    part(reserved, "▓", fill);
    part(taken, "░", fill == Style::good ? Style::dim : fill);
    part(total, " ", Style::normal);
    line.add("]");
}

void draw_memory(const Model& model, Line line) {
    const auto* sample = model.figures().last();
    line.add("Memory  ", Style::dim);
    if (sample == nullptr) {
        line.add("no figures yet");
        return;
    }
    const auto full = fullness(*sample);
    const auto style = full == Fullness::fine     ? Style::good
                       : full == Fullness::nearly ? Style::warning
                                                  : Style::critical;
    const auto text = fmt::format(" {} in use, {} reserved, ", format_size(sample->bytes_used),
                                  format_size(sample->bytes_reserved));
    const auto free =
        fmt::format("{} free of {}", format_size(sample->shm_free), format_size(sample->shm_total));
    const auto warning = full == Fullness::fine     ? ""
                         : full == Fullness::nearly ? "  NEARLY FULL"
                                                    : "  FULL";
    // What is free matters most.
    const bool roomy = text.size() + free.size() <= line.room();
    const auto others =
        (roomy ? text.size() : 1) + free.size() + std::string_view(warning).size() + 2;
    const auto bar = std::min(line.room() - std::min(line.room(), others), kLongBar);
    if (bar >= kShortBar) draw_bar(*sample, line, bar, style);
    if (roomy)
        line.add(bar >= kShortBar ? text : text.substr(1));
    else if (bar >= kShortBar)
        line.add(" ");
    line.add(free, full == Fullness::fine ? Style::normal : style).add(warning, style);
}

void draw_rates(const Model& model, Line line) {
    line.add("Rates   ", Style::dim);
    const auto rates = model.figures().rates();
    if (!rates || model.silent()) {
        line.add("-");
        return;
    }
    line.add(fmt::format("{:.1f} allocations/s  {:.1f} deallocations/s  {:.1f} references/s  ",
                         rates->allocations, rates->deallocations, rates->takes));
    line.add(fmt::format("{:.1f} errors/s", rates->errors),
             rates->errors > 0 ? Style::warning : Style::normal);
}

void draw_latency(const Model& model, Line line) {
    line.add("p99     ", Style::dim);
    const auto* sample = model.figures().last();
    if (sample == nullptr) {
        line.add("-");
        return;
    }
    const auto p99 = [sample](Timed what) {
        return nanos_text(sample->timed[static_cast<std::size_t>(what)].p99);
    };
    line.add(fmt::format("allocate {}  map {}  lock wait {}", p99(Timed::allocate), p99(Timed::map),
                         p99(Timed::lock_wait)));
    line.add("  recorder " + p99(Timed::recorder_lag));
    if (sample->recorder_lag > 0) line.add(fmt::format(", {} behind", sample->recorder_lag));
    if (sample->recorder_writable == 0) line.add("  events cannot be written", Style::critical);
    if (sample->events_lost > 0)
        line.add(fmt::format("  {} lost", pluralize(sample->events_lost, "event")),
                 Style::critical);
}

void draw_minute(const Model& model, Line line) {
    constexpr std::array<std::string_view, 8> kBlocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    line.add("Minute  ", Style::dim);
    const auto& minute = model.figures().minute();
    std::uint64_t highest = 1, lowest = UINT64_MAX;
    for (const auto& sample : minute) {
        highest = std::max(highest, sample.bytes_used);
        lowest = std::min(lowest, sample.bytes_used);
    }
    if (minute.empty()) return;
    const auto shown = std::min(minute.size(), line.room());
    for (auto i = minute.size() - shown; i < minute.size(); ++i)
        line.add(kBlocks[minute[i].bytes_used * (kBlocks.size() - 1) / highest], Style::accent);
    line.add(fmt::format(" {} to {} in use", format_size(lowest),
                         format_size(std::max(highest, lowest))),
             Style::dim);
}

void draw_alerts(const Model& model, Line line) {
    line.add("Alerts  ", Style::dim);
    const auto* sample = model.figures().last();
    const auto firing = sample == nullptr ? 0 : sample->alerts_firing;
    if (firing == 0) {
        line.add("none");
        return;
    }
    const auto open = sample->alerts_unacknowledged;
    line.add(fmt::format("{} firing, {} not acknowledged", firing, open),
             open > 0 ? Style::critical : Style::warning);
    for (const auto& alert : model.results().alerts.value) {
        if (alert.state != Alert::State::firing) continue;
        line.add("  ").add(
            alert.title.empty() ? alert.rule : alert.title,
            alert.severity == AlertSeverity::critical ? Style::critical : Style::warning);
        if (!alert.subject.empty()) line.add(" " + alert.subject, Style::dim);
    }
}

using DrawLine = void (*)(const Model&, Line);

// In the order they stand on the screen; `rank` 0 is given up last.
struct HeadLine {
    int rank;
    DrawLine draw;
};
constexpr std::array<HeadLine, kHeadLines> kHead{{{0, draw_name},
                                                  {3, draw_counts},
                                                  {1, draw_memory},
                                                  {4, draw_rates},
                                                  {5, draw_latency},
                                                  {6, draw_minute},
                                                  {2, draw_alerts}}};

}  // namespace

std::size_t draw_head(const Model& model, Surface& surface, std::size_t line, std::size_t most) {
    for (const auto& one : kHead)
        if (one.rank < static_cast<int>(most)) one.draw(model, Line(surface, line++));
    return line;
}

std::string nanos_text(std::uint64_t nanos) {
    return nanos == 0 ? "-" : format_nanos(static_cast<double>(nanos));
}

std::string span_text(Timestamp from, Timestamp to) {
    if (from.micros == 0) return "-";
    const auto tenths = std::max<std::int64_t>(0, (to.micros - from.micros) / 100'000);
    const auto seconds = tenths / 10, minutes = seconds / 60, hours = minutes / 60;
    if (seconds < 10) return fmt::format("{}.{}s", seconds, tenths % 10);
    if (minutes < 1) return fmt::format("{}s", seconds);
    if (hours < 1) return fmt::format("{}m{:02}s", minutes, seconds % 60);
    if (hours < 24) return fmt::format("{}h{:02}m", hours, minutes % 60);
    return fmt::format("{}d{:02}h", hours / 24, hours % 24);
}

}  // namespace snakepit::shm::cli
