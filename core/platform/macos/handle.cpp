// SPDX-License-Identifier: MIT
#include "base/handle.h"

#include <fcntl.h>
#include <unistd.h>

#include "platform/macos/port.h"

namespace snakepit::shm {

void Handle::reset(int value) {
    if (macos::is_port(*this))
        ::mach_port_deallocate(mach_task_self(), macos::port_of(*this));
    else if (value_ != kNone)
        ::close(value_);
    value_ = value;
}

Handle Handle::duplicate() const {
    if (!macos::is_port(*this)) return Handle(::fcntl(value_, F_DUPFD_CLOEXEC, 0));
    const auto failed =
        ::mach_port_mod_refs(mach_task_self(), macos::port_of(*this), MACH_PORT_RIGHT_SEND, 1);
    return failed == KERN_SUCCESS ? Handle(value_) : Handle();
}

}  // namespace snakepit::shm
