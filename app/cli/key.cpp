// SPDX-License-Identifier: MIT
// key rotate: encrypts a region with a new key.
#include <fmt/format.h>

#include "command.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Result<int> run_rotate(const Context& context, const std::string& word) {
    SHM_ASSIGN(const auto target, connect_to(context, {word}, true));
    const auto& id = target.ids.front();
    SHM_ASSIGN(const auto version, target.client->rotate_key(id));
    print(context.json ? fmt::format("{{\"id\":\"{}\",\"key_version\":{}}}\n", id.str(), version)
                       : fmt::format("{} is now encrypted with key {}\n", id.str(), version));
    return kDone;
}

}  // namespace

void add_key(Command& app) {
    auto& key = app.add("key", "Manage keys of encrypted regions");
    auto& rotate = key.add("rotate", "Give a region a new key, even while it is in use");
    rotate.run(run_rotate, rotate.region());
}

}  // namespace snakepit::shm::cli
