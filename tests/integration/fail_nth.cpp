// SPDX-License-Identifier: MIT
#include "fail_nth.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using snakepit::shm::test::FailNth;

FailNth* control = nullptr;

__attribute__((constructor)) void begin() {
    if (const char* path = std::getenv(snakepit::shm::test::kFailFile))
        control = FailNth::map(path);
}

template <typename F>
F* real(const char* name) {
    return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

bool about_segments(const char* path) {
    return std::strstr(path, "snakepit_") || std::strstr(path, "/proc/self/fd/") ||
           std::strstr(path, "/durable/") || std::strstr(path, "memfd:");
}

bool about_segments(int file) {
    if (!control || control->at.load() == 0 || file < 0) return false;
    char name[64], target[512];
    std::snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    const auto size = ::readlink(name, target, sizeof target - 1);
    if (size <= 0) return false;
    target[size] = 0;
    return about_segments(target);
}

// Counts a call; true for the one that is to fail.
bool fails(int error) {
    if (!control) return false;
    const int at = control->at.load();
    if (at == 0 || control->seen.fetch_add(1) + 1 != at) return false;
    errno = error;
    return true;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, mode_t);
    va_end(rest);
    if (control && control->at.load() != 0 && about_segments(path) && fails(EMFILE)) return -1;
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int open64(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, mode_t);
    va_end(rest);
    return open(path, flags, mode);
}
int memfd_create(const char* name, unsigned flags) {
    if (fails(EMFILE)) return -1;
    return static_cast<int>(::syscall(SYS_memfd_create, name, flags));
}
void* mmap(void* at, size_t size, int protection, int flags, int file, off_t offset) {
    if ((flags & MAP_SHARED) != 0 && about_segments(file) && fails(ENOMEM)) return MAP_FAILED;
    return reinterpret_cast<void*>(::syscall(SYS_mmap, at, size, protection, flags, file, offset));
}
void* mmap64(void* at, size_t size, int protection, int flags, int file, off_t offset) {
    return mmap(at, size, protection, flags, file, offset);
}
int madvise(void* at, size_t size, int advice) {
    if (advice == MADV_DONTFORK && fails(ENOMEM)) return -1;
    return static_cast<int>(::syscall(SYS_madvise, at, size, advice));
}
int fallocate(int file, int mode, off_t offset, off_t size) {
    const bool punches = (mode & FALLOC_FL_PUNCH_HOLE) != 0;  // gives back; never for want of room
    if (!punches && about_segments(file) && fails(ENOSPC)) return -1;
    return static_cast<int>(::syscall(SYS_fallocate, file, mode, offset, size));
}
int fallocate64(int file, int mode, off_t offset, off_t size) {
    return fallocate(file, mode, offset, size);
}
int ftruncate(int file, off_t size) {
    if (size > 0 && about_segments(file) && fails(EIO)) return -1;
    return static_cast<int>(::syscall(SYS_ftruncate, file, size));
}
int ftruncate64(int file, off_t size) {
    return ftruncate(file, size);
}
int fchmod(int file, mode_t mode) {
    if (about_segments(file) && fails(EPERM)) return -1;
    return static_cast<int>(::syscall(SYS_fchmod, file, mode));
}
int fcntl(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void* const argument = va_arg(rest, void*);
    va_end(rest);
    const bool counts = command == F_DUPFD_CLOEXEC || command == F_ADD_SEALS;
    if (counts && about_segments(file) && fails(EMFILE)) return -1;
    return static_cast<int>(::syscall(SYS_fcntl, file, command, argument));
}
int fcntl64(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void* const argument = va_arg(rest, void*);
    va_end(rest);
    return fcntl(file, command, argument);
}
// A handle that there is no room for: the kernel closes it and says that something was cut.
ssize_t recvmsg(int socket, msghdr* message, int flags) {
    const auto got = real<ssize_t(int, msghdr*, int)>("recvmsg")(socket, message, flags);
    if (got <= 0 || !control || control->at.load() == 0) return got;
    for (auto* part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        if (!fails(0)) return got;
        int handle = -1;
        std::memcpy(&handle, CMSG_DATA(part), sizeof handle);
        ::close(handle);
        message->msg_controllen = 0;
        message->msg_flags |= MSG_CTRUNC;
        return got;
    }
    return got;
}

}  // extern "C"
