// SPDX-License-Identifier: MIT
// Parses the command line, runs the command it names, and turns the result into an exit status.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "command.h"
#include "command_line.h"
#include "help.h"
#include "output.h"

using namespace snakepit::shm;
using namespace snakepit::shm::cli;

namespace {

void add_commands(Command& app) {
    app.section("Manager");
    add_serve(app);
    add_status(app);
    add_top(app);
    add_health(app);
    add_config(app);
    app.section("Regions");
    add_list(app);
    add_info(app);
    add_wait(app);
    add_allocate(app);
    add_contents(app);
    add_dump(app);
    add_deallocate(app);
    add_restore(app);
    add_cleanup(app);
    add_defragment(app);
    app.section("Access");
    add_locks(app);
    add_policy(app);
    add_key(app);
    app.section("Observation");
    add_events(app);
    add_audit(app);
    add_alerts(app);
    add_stats(app);
    add_metrics(app);
    add_compare(app);
    add_diagnose(app);
    app.section("Host");
    add_host(app);
    add_run(app);
    add_demo(app);
    app.section("Other machines");
    add_relay(app);
    app.section("Program");
    add_completions(app);
    add_about(app);
}

Result<int> run(Command& app, Context& context, bool& version, std::vector<std::string> words) {
    context.raw_words = take_raw_words(app, words);
    const auto parsed = parse_command_line(app, words);
    // Also where the words could not be read as far as there.
    context.json = context.json || std::find(words.begin(), words.end(), "--json") != words.end();
    adapt_output(context);
    if (version) return print_version(context);
    if (!parsed) return fail(parsed.error());
    if (parsed->help) {
        print_help(*parsed->command);
        return kDone;
    }
    if (!context.via.empty()) return run_via(context, app, words);
    return parsed->command->action()(context);
}

// A closed pipe and a limit of file sizes are errors of the write; they must not end the process.
std::vector<int> ignore_signals() {
    std::vector<int> out;
    for (const int signal : {SIGPIPE, SIGXFSZ})
        if (std::signal(signal, SIG_IGN) == SIG_DFL) out.push_back(signal);
    return out;
}

// A reader that has enough (`| head`) is not an error.
bool reader_closed_pipe(const Error& error) {
    return error.system_error == EPIPE;
}

}  // namespace

int main(int argc, char** argv) {
    Context context;
    context.ignored_signals = ignore_signals();
    occupy_standard_streams();

    Command app("snakepit-shm", "Manage memory that programs share", context);
    bool version = false;
    add_commands(app);
    app.flag("-V,--version", version, "Print the version of the program and of its protocol");
    const auto status =
        run(app, context, version, std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
    if (!status && !reader_closed_pipe(status.error()))
        return report_error(context, status.error());
    if (const auto written = output_written(); !written && !reader_closed_pipe(written.error()))
        return report_error(context, written.error());
    return status ? *status : kDone;
}
