// SPDX-License-Identifier: MIT
#include "client/launch.h"

#include "platform/process.h"

namespace snakepit::shm {

Status launch_manager(const std::string& instance) {
    auto started = start_detached(companion_program("snakepit-shm"),
                                  {"--instance", instance, "serve"}, Handle());
    if (started) return {};
    auto error = std::move(started).error();
    error.code = ErrorCode::no_manager;
    return fail(std::move(error));
}

}  // namespace snakepit::shm
