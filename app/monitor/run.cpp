// SPDX-License-Identifier: GPL-3.0-or-later
#include "run.h"

#include <QApplication>
#include <QMessageBox>
#include <QTimer>
#include <cstdio>
#include <optional>

#include "base/paths.h"
#include "client/find_instance.h"
#include "ui/main_window.h"
#include "ui/models/bundle_sources.h"
#include "ui/models/format.h"
#include "ui/models/live_host.h"
#include "ui/models/live_sources.h"
#include "ui/models/moment.h"
#include "ui/models/settings.h"
#include "ui/models/user_names.h"
#include "ui/models/workspace.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

int complain(const Error& error) {
    std::fprintf(stderr, "snakepit-shm-monitor: %s\n", error.sentence().c_str());
    return error.code == ErrorCode::no_manager            ? 3
           : error.type() == ErrorType::permission_denied ? 4
                                                          : 1;
}

// Whoever has the instance's lock is its manager: trying to take it is the question without a race.
Status find_manager(LiveHost& host, Mode mode) {
    if (mode == Mode::attach) return {};
    auto started = host.embed();
    if (!started && started.error().code == ErrorCode::instance_in_use && mode == Mode::either)
        return {};
    return started;
}

void wear_theme(const Options& options) {
    const auto name = options.theme.empty()
                          ? remembered(QStringLiteral("theme"), QStringLiteral("system"))
                          : QString::fromStdString(options.theme);
    Theme::instance().apply(parse_theme(name).value_or(ThemeChoice::system));
}

void take_screenshot(MainWindow& window, const Options& options) {
    window.set_quiet_close();
    const auto file = QString::fromStdString(options.screenshot);
    QTimer::singleShot(static_cast<int>(options.after * 1000), &window, [&window, file] {
        const bool saved = window.grab().save(file, "PNG");
        if (!saved)
            std::fprintf(stderr,
                         "snakepit-shm-monitor: %s could not be written: is the directory there?\n",
                         qPrintable(file));
        QApplication::exit(saved ? 0 : 1);
    });
}

// Of a window over any world: shown, until it closes or its picture was taken.
int show(Workspace& workspace, ManagerHost& host, const Options& options) {
    wear_theme(options);
    MainWindow window(workspace, host);
    window.restore_place();
    if (options.width > 0) window.resize(options.width, options.height);
    if (!options.page.empty()) window.show_page(QString::fromStdString(options.page));
    if (!options.select.empty()) window.keep_selected(QString::fromStdString(options.select));
    window.show();
    workspace.start();
    if (!options.screenshot.empty()) take_screenshot(window, options);
    return QApplication::exec();
}

int refuse(const Error& error, const Options& options) {
    if (options.screenshot.empty())
        QMessageBox::critical(nullptr, QStringLiteral("Snakepit SHM"), error_text(error));
    return complain(error);
}

int run_bundle(const Options& options) {
    auto bundle = BundleReader::open(options.bundle);
    if (!bundle) return refuse(bundle.error(), options);
    const auto& manifest = bundle->manifest();
    show_moment(manifest.created_at);
    learn_no_users();
    BundleHost host(label_of(*bundle));
    Workspace workspace(to_qstring(manifest.instance), bundle_parts(*bundle));
    return show(workspace, host, options);
}

}  // namespace

int run(const Options& options, int argc, char** argv) {
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("snakepit-shm-monitor"));
    QApplication::setApplicationDisplayName(QStringLiteral("Snakepit SHM"));
    // A picture shows what anyone would see, and leaves no trace.
    set_remembering(options.screenshot.empty());
    if (options.reset_layout) forget_layout();
    if (!options.bundle.empty()) return run_bundle(options);
    const auto paths = options.mode == Mode::attach ? find_instance(options.instance)
                                                    : resolve_paths(options.instance);
    if (!paths) return complain(paths.error());

    LiveHost host(
        *paths,
        (QApplication::applicationDirPath() + QStringLiteral("/snakepit-shm")).toStdString());
    if (const auto found = find_manager(host, options.mode); !found)
        return refuse(found.error(), options);
    Workspace workspace(to_qstring(paths->instance), live_parts(*paths));
    return show(workspace, host, options);
}

}  // namespace snakepit::shm::ui
