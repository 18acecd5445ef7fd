// SPDX-License-Identifier: MIT
#include "posix/hand_over.h"

#include "platform/process.h"

namespace snakepit::shm::conformance {

std::string hand_over(const Handle& handle, posix_spawn_file_actions_t& actions) {
    ::posix_spawn_file_actions_adddup2(&actions, handle.get(), kHandedDescriptor);
    return std::to_string(kHandedDescriptor);
}

Handle handed_handle(const std::string& word) {
    return Handle(std::stoi(word));
}

}  // namespace snakepit::shm::conformance
