// SPDX-License-Identifier: GPL-3.0-or-later
#include "run.h"

#include <QApplication>
#include <QBuffer>
#include <QTimer>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/paths.h"
#include "client/find_instance.h"
#include "platform/replace_file.h"
#include "ui/main_window.h"
#include "ui/models/bundle_sources.h"
#include "ui/models/format.h"
#include "ui/models/live_host.h"
#include "ui/models/live_sources.h"
#include "ui/models/moment.h"
#include "ui/models/settings.h"
#include "ui/models/user_names.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

int complain(const Error& error) {
    std::fprintf(stderr, "snakepit-shm-monitor: %s\n", error.sentence().c_str());
    return error.code == ErrorCode::no_manager            ? 3
           : error.type() == ErrorType::permission_denied ? 4
                                                          : 1;
}

// Qt ends the program where it cannot open a window, and advises to reinstall it.
void explain_no_display(QtMsgType type, const QMessageLogContext&, const QString&) {
    if (type != QtFatalMsg) return;
    std::fputs(
        "snakepit-shm-monitor: cannot open a window without a display; use 'snakepit-shm top' in a "
        "terminal\n",
        stderr);
    std::_Exit(1);
}

// The process with the instance's lock is its manager: taking the lock is the only check without a
// race.
Status find_manager(LiveHost& host, Mode mode) {
    if (mode == Mode::attach) return {};
    auto started = host.embed();
    if (!started && started.error().code == ErrorCode::instance_in_use && mode == Mode::either)
        return {};
    return started;
}

void wear_theme(const Options& options) {
    const auto name = options.theme.empty() ? remembered(u"theme"_s, u"system"_s)
                                            : QString::fromStdString(options.theme);
    Theme::instance().apply(parse_theme(name).value_or(ThemeChoice::system));
}

Status write_picture(MainWindow& window, OutputFile& file) {
    QByteArray png;
    QBuffer buffer(&png);
    if (!buffer.open(QIODevice::WriteOnly) || !window.grab().save(&buffer, "PNG"))
        return fail(ErrorCode::platform_error, "the screenshot could not be rendered");
    SHM_TRY(file.write({png.constData(), static_cast<std::size_t>(png.size())}));
    return file.commit();
}

void take_screenshot(MainWindow& window, const Options& options, OutputFile& file) {
    window.set_quiet_close();
    QTimer::singleShot(static_cast<int>(options.after * 1000), &window, [&window, &file] {
        const auto written = write_picture(window, file);
        QApplication::exit(written ? 0 : complain(written.error()));
    });
}

// Of a window over any world: shown, until it closes or its picture was taken.
int show(Workspace& workspace, ManagerHost& host, const Options& options) {
    std::optional<OutputFile> picture;
    if (!options.screenshot.empty()) {
        auto file = OutputFile::begin(options.screenshot, {.replace = options.force});
        if (!file) return complain(file.error());
        picture.emplace(std::move(*file));
    }
    wear_theme(options);
    MainWindow window(workspace, host);
    window.restore_place();
    if (options.width > 0) window.resize(options.width, options.height);
    if (!options.page.empty()) window.show_page(QString::fromStdString(options.page));
    if (!options.select.empty()) window.keep_selected(QString::fromStdString(options.select));
    window.show();
    // What is there now explains what no event tells.
    if (options.at)
        QObject::connect(
            &workspace, &Workspace::ticked, &window,
            [&] { Q_EMIT workspace.moment_wanted(*options.at); }, Qt::SingleShotConnection);
    workspace.start();
    if (picture) take_screenshot(window, options, *picture);
    return QApplication::exec();
}

int refuse(const Error& error, const Options& options) {
    if (options.screenshot.empty()) show_warning(nullptr, u"Snakepit SHM"_s, error_text(error));
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
    std::signal(SIGXFSZ, SIG_IGN);  // an error of the write, not our end
    occupy_standard_streams();
    const auto before = qInstallMessageHandler(explain_no_display);
    QApplication application(argc, argv);
    qInstallMessageHandler(before);
    QApplication::setApplicationName(u"snakepit-shm-monitor"_s);
    QApplication::setApplicationDisplayName(u"Snakepit SHM"_s);
    // A picture shows what anyone would see, and leaves no trace.
    set_remembering(options.screenshot.empty());
    if (options.reset_layout) forget_layout();
    if (!options.bundle.empty()) return run_bundle(options);
    const auto paths = options.mode == Mode::attach ? find_instance(options.instance)
                                                    : resolve_paths(options.instance);
    if (!paths) return complain(paths.error());

    LiveHost host(*paths, (QApplication::applicationDirPath() + u"/snakepit-shm"_s).toStdString());
    if (const auto found = find_manager(host, options.mode); !found)
        return refuse(found.error(), options);
    Workspace workspace(to_qstring(paths->instance), live_parts(*paths));
    return show(workspace, host, options);
}

}  // namespace snakepit::shm::ui
