// SPDX-License-Identifier: MIT
// serve: a manager in the foreground until a signal ends it.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

#include "base/paths.h"
#include "command.h"
#include "json.h"
#include "manager/manager.h"
#include "output.h"
#include "platform/process.h"
#include "platform/service_notifier.h"

namespace snakepit::shm::cli {

namespace {

// Blocked before the manager starts its threads, which inherit that, so that sigwait() gets them.
sigset_t block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return set;
}

void announce(const Context& context, const InstancePaths& paths) {
    if (context.json) {
        print_json({{"event", "serving"},
                    {"instance", text(paths.instance)},
                    {"pid", ::getpid()},
                    {"runtime_dir", text(paths.runtime_dir)}},
                   Layout::one_line);
    } else {
        print(fmt::format("snakepit-shm: serving instance '{}' (pid {}) at {}\n", paths.instance,
                          ::getpid(), paths.runtime_dir));
    }
}

void reload(const Context& context, Manager& manager) {
    const auto answer = manager.reload_config();
    if (!answer) {
        report_error(context, answer.error());
        return;
    }
    fmt::print(stderr, "snakepit-shm: configuration reloaded\n");
    for (const auto& key : keys_needing_restart(*answer))
        fmt::print(stderr, "snakepit-shm: {} takes effect when the manager starts next\n", key);
}

// To standard error, which may be the journal: it knows the line as a warning. Where writing would
// block, the line is left out; the events have it.
void warn(const std::string& what) {
    pollfd room{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return;
    const bool journal = ::getenv("JOURNAL_STREAM") != nullptr;
    const auto line = fmt::format("{}snakepit-shm: {}\n", journal ? "<4>" : "", what);
    (void)!::write(STDERR_FILENO, line.data(), line.size());
}

Result<int> run_serve(const Context& context) {
    std::signal(SIGXFSZ, SIG_IGN);
    raise_descriptor_limit();
    const auto signals = block_signals();
    ManagerOptions options;
    SHM_ASSIGN(options.paths, resolve_paths(context.instance, true));
    SHM_ASSIGN(options.config, Config::load(options.paths.config_file));
    // From the service's own thread: it hangs when that does.
    if (watchdog_interval_ms())
        options.heartbeat = [] { (void)notify_service_manager("WATCHDOG=1"); };
    options.alarm = warn;
    SHM_ASSIGN(auto manager, Manager::start(std::move(options)));
    announce(context, manager->paths());
    forgive_output();
    (void)notify_service_manager("READY=1");
    for (int signal = 0; ::sigwait(&signals, &signal) == 0;) {
        if (signal != SIGHUP) break;
        reload(context, *manager);
    }
    (void)notify_service_manager("STOPPING=1");
    return kDone;
}

}  // namespace

void add_serve(Command& app) {
    auto& command = app.add("serve", "Run the manager in the foreground until SIGTERM or Ctrl-C");
    command.flag("--foreground", command.options<bool>(),
                 "Accepted for clarity: the manager always runs in the foreground");
    command.run(run_serve);
}

}  // namespace snakepit::shm::cli
