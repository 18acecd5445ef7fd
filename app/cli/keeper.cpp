// SPDX-License-Identifier: MIT
// keeper: holds descriptors of memory without a name while no manager runs. Managers start it.
#include <unistd.h>

#include "command.h"
#include "platform/keeper.h"
#include "platform/process.h"
#include "platform/resource_error.h"

namespace snakepit::shm::cli {

namespace {

struct KeeperOptions {
    std::string socket;
    std::int64_t patience_ms = kKeeperPatienceMs;
};

// Continues in a child whose parent ends at once: the process that started it need not wait for
// its end, and may end first.
Result<int> keep(const Context&, const KeeperOptions& options) {
    const auto child = ::fork();
    if (child < 0) return fail(process_error(errno, "cannot continue in the background"));
    if (child > 0) ::_exit(kDone);
    raise_descriptor_limit();
    SHM_TRY(run_keeper(Handle(kHandedDescriptor), options.socket, options.patience_ms));
    return kDone;
}

}  // namespace

void add_keeper(Command& app) {
    auto& command =
        app.add("keeper", "Hold memory without a name while no manager runs; managers start it");
    auto& options = command.options<KeeperOptions>();
    command
        .option("--socket", "PATH", options.socket,
                "The socket where it hands the descriptors over")
        .required();
    command.option("--patience-ms", "MS", options.patience_ms,
                   "End after this time without a manager");
    command.run(keep, options);
}

}  // namespace snakepit::shm::cli
