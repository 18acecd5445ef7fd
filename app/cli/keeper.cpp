// SPDX-License-Identifier: MIT
// The process that holds descriptors of memory without a name while no manager runs. Managers start
// it; a person has no need to.
#include <unistd.h>

#include <memory>

#include "command.h"
#include "platform/keeper.h"
#include "platform/process.h"
#include "platform/resource_error.h"

namespace snakepit::shm::cli {

namespace {

struct KeeperWords {
    std::string socket;
    std::int64_t patience_ms = kKeeperPatienceMs;
};

// Goes on as a child of nobody we know: whoever started it need not wait for its end, and may end
// first.
Result<int> keep(const KeeperWords& words) {
    const auto child = ::fork();
    if (child < 0) return fail(process_error(errno, "cannot go on in the background"));
    if (child > 0) ::_exit(kDone);
    raise_descriptor_limit();
    SHM_TRY(run_keeper(Handle(kHandedDescriptor), words.socket, words.patience_ms));
    return kDone;
}

}  // namespace

void add_keeper(CLI::App& app, Context& context) {
    auto* command = add_hidden_command(app, context, "keeper");
    const auto words = std::make_shared<KeeperWords>();
    command->add_option("--socket", words->socket)->required();
    command->add_option("--patience-ms", words->patience_ms);
    command->callback([&context, words] { context.action = [words] { return keep(*words); }; });
}

}  // namespace snakepit::shm::cli
