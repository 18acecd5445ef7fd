// SPDX-License-Identifier: MIT
// Records who makes and uses the shared-memory segments of this host, until it is stopped.
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/make_directory.h"
#include "base/paths.h"
#include "base/version.h"
#include "config/config.h"
#include "origins/linux/origin_log.h"
#include "origins/linux/privileges.h"
#include "origins/origin_reader.h"
#include "platform/process.h"

using namespace snakepit::shm;

namespace {

constexpr int kFailed = 1, kUsageError = 2, kNotPermitted = 4;

void say(const std::string& sentence) {
    std::fprintf(stderr, "snakepit-shm-origins: %s\n", sentence.c_str());
}

// Readable when this process is to end.
Handle stop_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    return Handle(::signalfd(-1, &signals, SFD_CLOEXEC));
}

// systemd's directory, if it started this process.
std::string database() {
    const char* state = std::getenv("STATE_DIRECTORY");
    if (!state || std::getenv("SNAKEPIT_SHM_ORIGINS_DIR")) return origins::database_path();
    return fmt::format("{}/{}", state, origins::kDatabaseName);
}

Status record(origins::LogOptions options) {
    SHM_ASSIGN(const auto paths, resolve_paths({}));
    SHM_ASSIGN(const auto config, Config::load(paths.config_file));
    if (config.host_origins == HostOrigins::off) {
        say("nothing is recorded: host_origins is \"off\" in the configuration");
        return {};
    }
    options.commands = config.host_origins == HostOrigins::commands;
    options.database = database();
    options.report = say;
    SHM_TRY(origins::keep_needed_privileges());
    ::umask(0077);
    SHM_TRY(make_directory(options.database.substr(0, options.database.rfind('/'))));
    raise_descriptor_limit();
    const auto stop = stop_signals();
    if (!stop) return fail(system_error(errno, "cannot wait for signals"));
    SHM_ASSIGN(auto log, origins::OriginLog::open(std::move(options)));
    return log.run(stop);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Records who makes and uses the shared-memory segments of this host");
    origins::LogOptions options;
    app.add_option("--shm-path", options.shm_path, "The directory of POSIX segments")
        ->type_name("DIRECTORY");
    app.add_flag("--only", options.only_there,
                 "Watch this directory alone, not those of other namespaces");
    app.set_version_flag("--version", std::string(kVersionText));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EXIT_SUCCESS : kUsageError;
    }
    const auto done = record(std::move(options));
    if (done) return EXIT_SUCCESS;
    say(done.error().sentence());
    return done.error().code == ErrorCode::permission_denied ? kNotPermitted : kFailed;
}
