// SPDX-License-Identifier: MIT
// relay: the far end of --via.
#include "relay/far_end.h"

#include <fmt/format.h>

#include "command.h"
#include "platform/process.h"

namespace snakepit::shm::cli {

namespace {

Result<int> run_relay(const Context& context) {
    relay::FarOptions options;
    options.program = own_executable();
    if (!context.instance.empty())
        options.environment.push_back(fmt::format("SNAKEPIT_SHM_INSTANCE={}", context.instance));
    SHM_TRY(relay::run_far_end(options));
    return kDone;
}

}  // namespace

void add_relay(Command& app) {
    auto& command =
        app.add("relay", "Serve --via of another machine over standard input and output");
    command.footer(
        "It is started by --via, with the rights of the user who logs in, and runs the same\n"
        "commands as a terminal there would:\n"
        "  snakepit-shm --via 'ssh host' list\n"
        "  snakepit-shm --via 'docker exec -i NAME' status\n"
        "  snakepit-shm --via 'kubectl exec -i POD --' health\n"
        "The command is split into arguments as a shell would, and run without a shell.\n"
        "Files that are named for output or as input are those of the machine where --via is "
        "given.");
    command.run(run_relay);
}

}  // namespace snakepit::shm::cli
