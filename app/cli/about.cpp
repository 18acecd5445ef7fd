// SPDX-License-Identifier: MIT
// version, help.
#include <fmt/format.h>

#include <memory>

#include <QtGlobal>

#include "base/version.h"
#include "command.h"
#include "json.h"
#include "layout/registry_layout.h"
#include "output.h"
#include "protocol/messages.h"

namespace snakepit::shm::cli {

Result<int> print_version(const Context& context) {
    if (context.json) {
        print_json({{"version", text(kVersionText)},
                    {"protocol", static_cast<int>(kProtocolVersion)},
                    {"registry_layout", static_cast<int>(layout::kVersion)},
                    {"qt", qVersion()}});
    } else {
        print(fmt::format("snakepit-shm {} (protocol {}, registry layout {}, Qt {})\n",
                          kVersionText, kProtocolVersion, layout::kVersion, qVersion()));
    }
    return kDone;
}

namespace {

Result<int> run_help(const Context& context, CLI::App& app, const std::vector<std::string>& words) {
    auto* shown = &app;
    auto name = app.get_name();
    for (const auto& word : words) {
        const auto found = shown->get_subcommands(
            [&](const CLI::App* command) { return command->get_name() == word; });
        if (found.empty()) return fail(unknown_command(*shown, word));
        shown = found.front();
        name += " " + word;
    }
    // Not App::help(): that would explain the command that was given, which is `help`.
    const auto help = shown->get_formatter()->make_help(shown, name, CLI::AppFormatMode::Normal);
    if (context.json) {
        print_json({{"help", text(help)}});
    } else {
        print(help);
    }
    return kDone;
}

}  // namespace

void add_about(CLI::App& app, Context& context) {
    auto* version = add_command(app, context, "version",
                                "Print versions: of the program and of what it speaks");
    version->callback(
        [&context] { context.action = [&context] { return print_version(context); }; });

    auto* help = add_command(app, context, "help", "Explain a command");
    auto words = std::make_shared<std::vector<std::string>>();
    help->add_option("command", *words, "The command");
    help->callback([&app, &context, words] {
        context.action = [&app, &context, words] { return run_help(context, app, *words); };
    });
    app.footer(
        "Exit status: 0 done, 1 failed, 2 wrong words, 3 no manager is running, 4 permission "
        "denied,\n"
        "5 checks found problems. With --json standard error has one JSON document and nothing "
        "else.\n"
        "Start a manager with: snakepit-shm serve");
}

}  // namespace snakepit::shm::cli
