// SPDX-License-Identifier: MIT
// A port is handed to a child as one of the ports that a task inherits; a descriptor as usual.
#include "posix/hand_over.h"

#include "platform/macos/port.h"
#include "platform/process.h"

namespace snakepit::shm::conformance {

std::string hand_over(const Handle& handle, posix_spawn_file_actions_t& actions) {
    if (macos::is_port(handle)) {
        mach_port_t port = macos::port_of(handle);
        ::mach_ports_register(mach_task_self(), &port, 1);
        return "port";
    }
    ::posix_spawn_file_actions_adddup2(&actions, handle.get(), kHandedDescriptor);
    return std::to_string(kHandedDescriptor);
}

Handle handed_handle(const std::string& word) {
    if (word != "port") return Handle(std::stoi(word));
    mach_port_array_t ports = nullptr;
    mach_msg_type_number_t count = 0;
    if (::mach_ports_lookup(mach_task_self(), &ports, &count) != KERN_SUCCESS || count == 0)
        return {};
    return macos::handle_of(ports[0]);
}

}  // namespace snakepit::shm::conformance
