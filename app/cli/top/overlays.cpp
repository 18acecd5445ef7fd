// SPDX-License-Identifier: MIT
// What lies over the table: help, and everything about one region, program or alert.
#include <fmt/format.h>

#include <algorithm>

#include "base/pluralize.h"
#include "base/units.h"
#include "layout/client_words.h"
#include "text_columns.h"
#include "top/view.h"

namespace snakepit::shm::cli {

namespace {

struct Text {
    std::string text;
    Style style = Style::normal;
};

// Lines of an overlay; long ones are wrapped when they are drawn.
class Page {
  public:
    void title(std::string text) { lines_.push_back({std::move(text), Style::strong}); }
    void line(std::string text, Style style = Style::normal) {
        lines_.push_back({std::move(text), style});
    }
    void field(std::string_view name, const std::string& value, Style style = Style::normal) {
        if (!value.empty()) line(fmt::format("  {:<14}{}", name, value), style);
    }
    void gap() { lines_.emplace_back(); }
    const std::vector<Text>& lines() const { return lines_; }

  private:
    std::vector<Text> lines_;
};

constexpr std::string_view kHelp =
    R"(Views      1 regions   2 programs   3 alerts   4 locks   Tab next
Sort       s size   r references   a age   u last used   h holders   n name
           the same key again turns the order round
Move       arrows, PgUp, PgDn, Home, End; Esc lets go of the row
Enter      details of the row; Esc goes back
/          filter: size>1MiB owner:python state:orphan refs=0 age>10m words
           -word leaves out; Enter keeps it, Esc clears it
k          acknowledge the alert
d, c       the command that deallocates the region, or shows what a cleanup would remove
p          pause, and go on
+ -        change the interval (0.25 s to 10 s)
?          this; q quits

Memory     █ in use by regions  ▓ reserved for them  ░ taken by others on this host
Programs   count what the filter leaves; of each region at most five holders are known
           without asking the manager)";

Page help_page() {
    Page page;
    page.title("Keys");
    for (std::string_view rest = kHelp; !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        page.line("  " + std::string(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return page;
}

std::string flags_of(const RegionInfo& info) {
    std::string out;
    const auto say = [&out](bool is, std::string_view word) {
        if (is) out += (out.empty() ? "" : ", ") + std::string(word);
    };
    say(info.sealed, "sealed");
    say(info.durable, "durable");
    say(info.audit_access, "each access is recorded");
    say(info.inconsistent, "inconsistent: a writer died while it held the lock");
    say(info.has_policy, "has a policy of its own");
    say(!info.policy_in_effect, "its last policy takes effect when it has no references");
    return out;
}

void add_facts(Page& page, const RegionInfo& info, Timestamp at) {
    page.field("name", info.name);
    page.field("size", fmt::format("{} ({} bytes), {} reserved", format_size(info.size), info.size,
                                   format_size(info.actual_size)));
    page.field("state", std::string(to_string(info.state)));
    page.field("owner",
               fmt::format("{}, user {}", process_label(info.owner_process, info.owner_pid),
                           info.owner_uid));
    page.field("worker", info.worker);
    page.field("session", info.session);
    page.field("made", fmt::format("{} ({} ago)", to_rfc3339(info.created_at),
                                   span_text(info.created_at, at)));
    page.field("last used", fmt::format("{} ago, {}", span_text(info.last_accessed, at),
                                        pluralize(info.access_count, "time")));
    page.field("permissions",
               fmt::format("owner {}, group {}, other {}; at most {}",
                           to_string(info.permissions.owner), to_string(info.permissions.group),
                           to_string(info.permissions.other), to_string(info.access_mode)));
    page.field("security", std::string(to_string(info.security_level)));
    page.field(
        "cleanup",
        fmt::format(
            "{}{}; when its owner ends: {}", to_string(info.cleanup_policy),
            info.timeout_ms == 0 ? "" : ", when unused for " + format_duration(info.timeout_ms),
            to_string(info.owner_end)));
    page.field("placement", std::string(to_string(info.placement)));
    page.field("segment", info.platform_handle);
    if (!info.arena.empty()) page.field("offset", fmt::format("{}", info.offset));
    page.field("also", flags_of(info), info.inconsistent ? Style::warning : Style::normal);
    page.field("metadata", info.metadata);
}

void add_holders(Page& page, const RegionInfo& info, const PollResults& results) {
    const bool polled =
        results.region == info.id && results.info.at.micros != 0 && !results.info.error;
    const auto& references = polled ? results.info.value.references : info.references;
    page.title("Holders, " + pluralize(info.reference_count, "reference"));
    for (const auto& one : references)
        page.line(fmt::format("  {:<28}×{}{}{}", process_label(one.process, one.pid, one.worker),
                              one.count,
                              !polled                                ? ""
                              : one.access == AccessMode::read_write ? "  read and write"
                                                                     : "  read",
                              one.connected ? "" : fmt::format("  {}", kNotReconnected)),
                  one.count == 0 ? Style::dim : Style::normal);
    if (references.empty()) page.line("  no holders", Style::dim);
    if (!polled && results.region == info.id && results.info.error)
        page.line("  as the registry names them, at most five: " + results.info.error->sentence(),
                  Style::dim);
}

void add_last_events(Page& page, const RegionInfo& info, const PollResults& results, Timestamp at) {
    page.title("Last events");
    const auto& events = results.events;
    if (results.region != info.id || (events.at.micros == 0 && !events.error)) {
        page.line("  reading", Style::dim);
        return;
    }
    if (events.error) page.line("  " + events.error->sentence(), Style::warning);
    for (const auto& event : events.value)
        page.line(fmt::format("  {:>6} ago  {:<20} pid {:<8} {}{}", span_text(event.time, at),
                              to_string(event.kind), event.pid,
                              event.result == "ok" ? "" : event.result + " ",
                              event.detail == "{}" ? "" : event.detail),
                  event.result == "ok" ? Style::normal : Style::warning);
}

Page region_page(Model& model) {
    Page page;
    const auto& overlay = model.overlay();
    const auto& info = overlay.region;
    page.title("Region " + info.id.str());
    if (overlay.region_gone)
        page.line("  The region was freed; this was its last state.", Style::warning);
    add_facts(page, info, model.at());
    page.gap();
    if (!overlay.region_gone) {
        add_holders(page, info, model.results());
        page.gap();
    }
    add_last_events(page, info, model.results(), model.at());
    return page;
}

Page program_page(Model& model) {
    constexpr std::size_t kMost = 200;  // regions
    Page page;
    const auto pid = model.overlay().pid;
    const auto all = programs(model.snapshot().clients, model.regions());
    const auto it = std::find_if(all.begin(), all.end(),
                                 [pid](const ProgramRow& row) { return row.pid == pid; });
    if (it == all.end()) {
        page.title(fmt::format("Program {}", pid));
        page.line("  The process has exited, and its references were released.", Style::warning);
        return page;
    }
    page.title("Program " + process_label(it->process, pid));
    page.field("worker", it->worker);
    page.field("pool", it->pool);
    page.field("session", it->session);
    page.field("user", fmt::format("{}", it->uid));
    page.field("connected", it->connected
                                ? span_text(it->since, model.at())
                                : fmt::format("{}: it reconnects with its next request, and keeps "
                                              "what it holds",
                                              kNotReconnected));
    page.field("holds",
               fmt::format("{} in {}, {}", format_size(it->bytes), pluralize(it->regions, "region"),
                           pluralize(it->references, "reference")));
    page.gap();
    std::vector<std::pair<const RegionRow*, std::uint64_t>> held;
    model.regions().each_matching([&](const RegionRow& row) {
        for (const auto& one : row.info.references)
            if (one.pid == pid && one.count > 0) held.emplace_back(&row, one.count);
    });
    std::sort(held.begin(), held.end(),
              [](const auto& a, const auto& b) { return a.first->info.size > b.first->info.size; });
    page.title("Regions it holds, the largest first");
    for (std::size_t i = 0; i < std::min(held.size(), kMost); ++i)
        page.line(fmt::format("  {}  {:>10}  ×{}", held[i].first->info.id.str(),
                              format_size(held[i].first->info.size), held[i].second));
    if (held.empty()) page.line("  no regions", Style::dim);
    if (held.size() > kMost)
        page.line(fmt::format("  and {} more", held.size() - kMost), Style::dim);
    return page;
}

Page alert_page(Model& model) {
    Page page;
    const auto* alert = model.alert(model.overlay().alert);
    if (alert == nullptr) {
        page.title("Alert");
        page.line("  The alert is no longer listed.", Style::warning);
        return page;
    }
    const auto at = model.at();
    page.title(alert->title.empty() ? alert->rule : alert->title);
    page.field("rule", alert->rule);
    page.field("severity", std::string(to_string(alert->severity)));
    page.field("state",
               fmt::format("{}{}{}", to_string(alert->state), alert->silenced ? ", silenced" : "",
                           alert->flapping ? ", comes and goes" : ""));
    page.field("subject", alert->subject);
    page.field("value",
               fmt::format("{}, worst {}, threshold {}", value_text(alert->value, alert->unit),
                           value_text(alert->worst, alert->unit),
                           value_text(alert->threshold, alert->unit)));
    page.field("since",
               fmt::format("{} ({} ago)", to_rfc3339(alert->since), span_text(alert->since, at)));
    if (alert->fired_at.micros != 0)
        page.field("fired", fmt::format("{} ago, {}", span_text(alert->fired_at, at),
                                        pluralize(alert->times_fired, "time")));
    if (alert->resolved_at.micros != 0)
        page.field("resolved", span_text(alert->resolved_at, at) + " ago");
    if (!alert->acknowledged_by.empty())
        page.field("acknowledged",
                   fmt::format("by {} {} ago {}", alert->acknowledged_by,
                               span_text(alert->acknowledged_at, at), alert->acknowledgement));
    page.gap();
    page.title("Evidence");
    page.line("  " + alert->evidence);
    page.gap();
    page.title("Remedy");
    page.line("  " + (alert->remedy.empty() ? std::string("no remedy is known") : alert->remedy));
    return page;
}

Page page_of(Model& model) {
    switch (model.overlay().kind) {
        case Overlay::Kind::region:
            return region_page(model);
        case Overlay::Kind::program:
            return program_page(model);
        case Overlay::Kind::alert:
            return alert_page(model);
        case Overlay::Kind::help:
        case Overlay::Kind::none:
            break;
    }
    return help_page();
}

}  // namespace

void draw_overlay(Model& model, Surface& surface, std::size_t line, std::size_t end) {
    if (line >= end) return;
    std::vector<Text> lines;
    const auto page = page_of(model);
    for (const auto& text : page.lines())
        for (auto& piece : wrapped(text.text, surface.columns()))
            lines.push_back({std::move(piece), text.style});
    auto& scroll = model.overlay().scroll;
    const auto room = end - line;
    scroll = std::min(scroll, lines.size() - std::min(lines.size(), room));
    for (std::size_t i = scroll; i < lines.size() && line < end; ++i, ++line)
        surface.put(line, 0, lines[i].text, lines[i].style);
    if (scroll + room < lines.size()) {
        surface.clear_line(end - 1);
        surface.put(end - 1, 0, fmt::format("… {} more lines", lines.size() - scroll - room + 1),
                    Style::dim);
    }
}

}  // namespace snakepit::shm::cli
