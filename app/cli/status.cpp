// SPDX-License-Identifier: MIT
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Result<int> run_status(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto report, client->report("status"));
    SHM_ASSIGN(const auto document, parse_object(report));
    if (context.json) {
        print_json(document);
    } else {
        print(lines_of(document));
    }
    return kDone;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
    auto* command =
        add_command(app, context, "status", "Say whether a manager runs, and how it does");
    command->callback([&context] { context.action = [&context] { return run_status(context); }; });
}

}  // namespace snakepit::shm::cli
