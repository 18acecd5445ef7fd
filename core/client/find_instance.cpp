// SPDX-License-Identifier: MIT
#include "client/find_instance.h"

#include "client/manager_client.h"
#include "platform/channel.h"

namespace snakepit::shm {

Result<InstancePaths> find_instance(std::string_view instance) {
    SHM_ASSIGN(auto own, resolve_paths(instance));
    const auto host = host_paths(own);
    const auto mine = Channel::connect(own.control_socket());
    if (!host || mine || is_unresponsive(mine.error())) return own;
    return Channel::connect(host->control_socket()) ? *host : own;
}

}  // namespace snakepit::shm
