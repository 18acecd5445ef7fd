// SPDX-License-Identifier: MIT
#include "platform/locked_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

std::size_t whole_pages(std::size_t size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (size + page - 1) / page * page;
}

}  // namespace

Result<LockedMemory> LockedMemory::make(std::size_t size) {
    if (size == 0) return fail(ErrorCode::invalid_size, "locked memory of 0 bytes was requested");
    const auto length = whole_pages(size);
    void* const data =
        ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return fail(mapping_error(errno, "cannot allocate memory for secrets", length));
    LockedMemory memory;
    memory.data_ = static_cast<std::byte*>(data);
    memory.size_ = size;
    if (::madvise(data, length, MADV_DONTDUMP) != 0 || ::madvise(data, length, MADV_DONTFORK) != 0)
        return fail(system_error(errno, "cannot protect memory for secrets"));
    memory.locked_ = ::mlock(data, length) == 0;
    return memory;
}

LockedMemory::LockedMemory(LockedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      locked_(std::exchange(other.locked_, false)) {}

LockedMemory& LockedMemory::operator=(LockedMemory&& other) noexcept {
    if (this != &other) {
        reset();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        locked_ = std::exchange(other.locked_, false);
    }
    return *this;
}

void LockedMemory::reset() {
    if (!data_) return;
    wipe({data_, size_});
    ::munmap(data_, whole_pages(size_));  // unlocks it
    abandon();
}

void LockedMemory::abandon() {
    data_ = nullptr;
    size_ = 0;
    locked_ = false;
}

void wipe(std::span<std::byte> bytes) {
    ::explicit_bzero(bytes.data(), bytes.size());
}

}  // namespace snakepit::shm
