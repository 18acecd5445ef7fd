// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstring>
#include <span>

namespace snakepit::shm {

// Attaches the descriptors to `message`. `control` is as large as CMSG_SPACE of them, zeroed,
// aligned as a cmsghdr, and stays until the message is sent.
inline void attach_descriptors(msghdr& message, char* control, std::span<const int> descriptors) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
}

}  // namespace snakepit::shm
