// SPDX-License-Identifier: MIT
// Parses the words, runs the command they name, and turns how it went into an exit status.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "command.h"
#include "host.h"
#include "output.h"
#include "run.h"

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
    add_diagnose(app, context);
    add_dump(app, context);
    add_host(app, context);
    add_run(app, context);
    add_demo(app, context);
    add_alerts(app, context);
    add_metrics(app, context);
    add_about(app, context);
}

Error usage_error(const CLI::App& app, const CLI::ParseError& problem) {
    // The innermost command that was recognized; the program itself where none was.
    const auto* innermost = &app;
    std::string name;
    for (auto inner = app.get_subcommands(); !inner.empty(); inner = innermost->get_subcommands()) {
        innermost = inner.front();
        name += (name.empty() ? "" : " ") + innermost->get_name();
    }
    const auto& command = *innermost;
    const auto help = name.empty() ? "see snakepit-shm help" : "see snakepit-shm help " + name;
    const auto rest = command.remaining();
    const auto word = std::find_if(rest.begin(), rest.end(),
                                   [](const auto& each) { return !each.starts_with('-'); });
    if (word != rest.end() && !command_names(command).empty())
        return unknown_command(command, *word);
    std::string message = problem.what();
    if (dynamic_cast<const CLI::RequiredError*>(&problem) && !command_names(command).empty())
        message = !rest.empty()  ? fmt::format("unknown option '{}'", rest.front())
                  : name.empty() ? "no command was given"
                                 : fmt::format("'{}' needs one of its commands", name);
    auto error = make_error(ErrorCode::invalid_argument, std::move(message), help);
    error.operation = name.substr(0, name.find(' '));
    return error;
}

Result<int> run(CLI::App& app, Context& context, int argc, char** argv) {
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    context.command = take_command(app, words);
    try {
        app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    } catch (const CLI::ParseError& problem) {
        context.json = std::any_of(words.begin(), words.end(),
                                   [](std::string_view word) { return word == "--json"; });
        if (dynamic_cast<const CLI::CallForVersion*>(&problem)) return print_version(context);
        if (problem.get_exit_code() != 0) return fail(usage_error(app, problem));
        print(app.help());
        return kDone;
    }
    return context.action();
}

// A reader that goes away and a limit of file sizes are errors of the write, not our end.
std::vector<int> ignore_signals() {
    std::vector<int> out;
    for (const int signal : {SIGPIPE, SIGXFSZ})
        if (std::signal(signal, SIG_IGN) == SIG_DFL) out.push_back(signal);
    return out;
}

// A reader that has enough (`| head`) is no error.
bool reader_has_gone(const Error& error) {
    return error.system_error == EPIPE;
}

}  // namespace

int main(int argc, char** argv) {
    Context context;
    context.ignored_signals = ignore_signals();
    occupy_standard_streams();

    CLI::App app(
        "Shared memory between programs, managed: snakepit-shm COMMAND --help explains one.",
        "snakepit-shm");
    app.require_subcommand(1);
    app.add_flag("--json", context.json, "Print one JSON document, and errors as JSON too");
    app.add_option("--instance", context.instance,
                   "The instance (default: $SNAKEPIT_SHM_INSTANCE, else 'default')");
    add_commands(app, context);
    app.set_version_flag("-V,--version", "",
                         "Print versions: of the program and of what it speaks");
    const auto status = run(app, context, argc, argv);
    if (!status && !reader_has_gone(status.error())) return report_error(context, status.error());
    if (const auto written = output_written(); !written && !reader_has_gone(written.error()))
        return report_error(context, written.error());
    return status ? *status : kDone;
}
