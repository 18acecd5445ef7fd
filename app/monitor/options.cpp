// SPDX-License-Identifier: GPL-3.0-or-later
#include "options.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/moment.h"
#include "ui/literals.h"
#include "ui/main_window.h"

namespace snakepit::shm::ui {

namespace {

std::string one_of(const QStringList& names) {
    return names.join(u", "_s).toStdString();
}

std::string check_page(const std::string& page) {
    if (MainWindow::page_names().contains(QString::fromStdString(page))) return {};
    return "page '" + page + "' does not exist: choose one of " + one_of(MainWindow::page_names());
}

std::string check_moment(const std::string& text) {
    const auto read = parse_moment(text);
    return read ? std::string() : read.error().sentence();
}

std::string check_size(const std::string& text) {
    int width = 0, height = 0, end = 0;
    const bool read = std::sscanf(text.c_str(), "%dx%d%n", &width, &height, &end) == 2 &&
                      end == static_cast<int>(text.size());
    if (!read || width < 640 || height < 400 || width > 16384 || height > 16384)
        return "'" + text + "' is not a size from 640x400 to 16384x16384: write it as 1320x840";
    return {};
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    bool attach = false, embed = false;
    std::string size, at;
    CLI::App app("Monitor and manage the shared memory of a Snakepit SHM instance",
                 "snakepit-shm-monitor");
    auto* instance =
        app.add_option("--instance", options.instance,
                       "Instance to show (default: $SNAKEPIT_SHM_INSTANCE, else 'default')");
    auto* attach_flag = app.add_flag("--attach", attach,
                                     "Attach to a running manager; never start one in this window");
    auto* embed_flag =
        app.add_flag("--embed", embed, "Run the manager in this window; fail if another is running")
            ->excludes(attach_flag);
    app.add_option("--bundle", options.bundle,
                   "Show a diagnostic bundle (snakepit-shm diagnose) of any machine, read-only")
        ->excludes(attach_flag)
        ->excludes(embed_flag)
        ->excludes(instance);
    app.add_option("--at", at,
                   "Moment to show, as far as it is recorded: 2026-11-22T22:17:35Z, or how long "
                   "ago, such as 10m")
        ->check(check_moment);
    app.add_option("--page", options.page, "Page to open: " + one_of(MainWindow::page_names()))
        ->check(check_page);
    app.add_option("--theme", options.theme, "Theme: light, dark or system")
        ->check(CLI::IsMember({"light", "dark", "system"}));
    auto* screenshot = app.add_option("--screenshot", options.screenshot,
                                      "Write a PNG of the window (- is standard output) and exit");
    app.add_flag("--force", options.force, "Replace an existing screenshot file")
        ->needs(screenshot);
    app.add_option("--size", size, "Size of the window, as WIDTHxHEIGHT")->check(check_size);
    app.add_option("--after", options.after, "Seconds to wait before the screenshot")
        ->needs(screenshot)
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--select", options.select,
                   "Region to select for the screenshot: its id, or 'first'")
        ->needs(screenshot);
    app.add_flag("--reset-layout", options.reset_layout,
                 "Reset columns, sizes and the window's position");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        options.go_on = false;
        options.status = app.exit(error) == 0 ? 0 : 2;
        return options;
    }
    if (!size.empty()) std::sscanf(size.c_str(), "%dx%d", &options.width, &options.height);
    if (!at.empty()) options.at = *parse_moment(at);
    if (attach) options.mode = Mode::attach;
    if (embed) options.mode = Mode::embed;
    return options;
}

}  // namespace snakepit::shm::ui
