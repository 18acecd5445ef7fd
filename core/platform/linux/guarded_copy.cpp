// SPDX-License-Identifier: MIT
#include "platform/guarded_copy.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace snakepit::shm {

namespace {

// The kernel copies, and returns EFAULT instead of raising SIGBUS. If seccomp forbids the call,
// this is a plain copy.
template <typename Copy>
bool copied(void* to, const void* from, std::size_t size, Copy copy) {
    auto* target = static_cast<std::byte*>(to);
    const auto* source = static_cast<const std::byte*>(from);
    while (size > 0) {
        const auto done = copy(target, source, size);
        if (done == 0 || (done < 0 && errno == EFAULT)) return false;
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            std::memcpy(target, source, size);
            return true;
        }
        target += done;
        source += done;
        size -= static_cast<std::size_t>(done);
    }
    return true;
}

iovec part(const void* data, std::size_t size) {
    return {const_cast<void*>(data), size};
}

}  // namespace

bool copy_from_shared(void* to, const void* shared, std::size_t size) {
    return copied(to, shared, size, [](std::byte* target, const std::byte* source, std::size_t n) {
        const auto local = part(target, n), remote = part(source, n);
        return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0);
    });
}

bool copy_to_shared(void* shared, const void* from, std::size_t size) {
    return copied(shared, from, size,
                  [](std::byte* target, const std::byte* source, std::size_t n) {
                      const auto local = part(source, n), remote = part(target, n);
                      return ::process_vm_writev(::getpid(), &local, 1, &remote, 1, 0);
                  });
}

}  // namespace snakepit::shm
