// SPDX-License-Identifier: MIT
// key rotate: an encrypted region under a new key.
#include <fmt/format.h>

#include <memory>

#include "command.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Result<int> run_rotate(const Context& context, const std::string& word) {
    SHM_ASSIGN(const auto id, RegionId::parse(word));
    SHM_ASSIGN(auto client, connect(context, true));
    SHM_ASSIGN(const auto version, client->rotate_key(id));
    print(context.json ? fmt::format("{{\"id\":\"{}\",\"key_version\":{}}}\n", id.str(), version)
                       : fmt::format("{} is encrypted with key {} now\n", id.str(), version));
    return kDone;
}

}  // namespace

void add_key(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "key", "Keys of encrypted regions");
    command->require_subcommand(1);
    auto* rotate = add_command(*command, context, "rotate",
                               "Encrypt a region anew under a key of its own, while it is used");
    auto id = std::make_shared<std::string>();
    rotate->add_option("id", *id, "The region")->required();
    rotate->callback(
        [&context, id] { context.action = [&context, id] { return run_rotate(context, *id); }; });
}

}  // namespace snakepit::shm::cli
