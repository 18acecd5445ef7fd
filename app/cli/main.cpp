// SPDX-License-Identifier: MIT
// Parses the words, runs the command they name, and turns how it went into an exit status.
#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "command.h"
#include "output.h"

using namespace snakepit::shm;
using namespace snakepit::shm::cli;

namespace {

void add_commands(CLI::App& app, Context& context) {
    add_serve(app, context);
    add_status(app, context);
    add_stats(app, context);
    add_top(app, context);
    add_list(app, context);
    add_info(app, context);
    add_allocate(app, context);
    add_contents(app, context);
    add_deallocate(app, context);
    add_cleanup(app, context);
    add_defragment(app, context);
    add_restore(app, context);
    add_locks(app, context);
    add_policy(app, context);
    add_key(app, context);
    add_events(app, context);
    add_audit(app, context);
    add_config(app, context);
    add_health(app, context);
    add_keeper(app, context);
    add_demo(app, context);
    add_alerts(app, context);
    add_about(app, context);
}

int report_wrong_words(CLI::App& app, Context& context, const CLI::ParseError& problem, int argc,
                       char** argv) {
    if (problem.get_exit_code() == 0) return app.exit(problem);  // --help
    context.json =
        std::any_of(argv, argv + argc, [](std::string_view word) { return word == "--json"; });
    const auto chosen = app.get_subcommands();
    auto error = make_error(ErrorCode::invalid_argument, problem.what(),
                            chosen.empty() ? "see snakepit-shm help"
                                           : "see snakepit-shm help " + chosen.front()->get_name());
    error.operation = chosen.empty() ? "" : chosen.front()->get_name();
    report_error(context, error);
    return kWrongWords;
}

}  // namespace

int main(int argc, char** argv) {
    // A reader that goes away (`| head`) is an error of the write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);

    Context context;
    CLI::App app(
        "Shared memory between programs, managed: snakepit-shm COMMAND --help explains one.",
        "snakepit-shm");
    app.require_subcommand(1);
    app.add_flag("--json", context.json, "Print one JSON document, and errors as JSON too");
    app.add_option("--instance", context.instance,
                   "The instance (default: $SNAKEPIT_SHM_INSTANCE, else 'default')");
    add_commands(app, context);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return report_wrong_words(app, context, problem, argc, argv);
    }
    const auto status = context.action();
    return status ? *status : report_error(context, status.error());
}
