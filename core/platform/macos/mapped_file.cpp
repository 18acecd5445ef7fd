// SPDX-License-Identifier: MIT
// Mappings of memory entries and of POSIX shared memory. Files of the manager (MappedFile) are not
// ported. Compiled and linked for macOS, never executed there.
#include "platform/mapped_file.h"

#include <mach/vm_map.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

#include "platform/macos/port.h"

#if __has_include(<mach/mach_vm.h>)
#include <mach/mach_vm.h>
#else
extern "C" {
kern_return_t mach_vm_map(vm_map_t, mach_vm_address_t*, mach_vm_size_t, mach_vm_offset_t, int,
                          mem_entry_name_port_t, memory_object_offset_t, boolean_t, vm_prot_t,
                          vm_prot_t, vm_inherit_t);
kern_return_t mach_vm_inherit(vm_map_t, mach_vm_address_t, mach_vm_size_t, vm_inherit_t);
kern_return_t mach_vm_remap(vm_map_t, mach_vm_address_t*, mach_vm_size_t, mach_vm_offset_t, int,
                            vm_map_t, mach_vm_address_t, boolean_t, vm_prot_t*, vm_prot_t*,
                            vm_inherit_t);
}
#endif

namespace snakepit::shm {

namespace macos {

int map(const Handle& segment, std::uint64_t offset, std::uint64_t size, bool writable,
        std::byte*& data) {
    if (is_port(segment)) {
        const vm_prot_t rights = VM_PROT_READ | (writable ? VM_PROT_WRITE : 0);
        mach_vm_address_t address = 0;
        const auto failed =
            ::mach_vm_map(mach_task_self(), &address, size, 0, VM_FLAGS_ANYWHERE, port_of(segment),
                          offset, FALSE, rights, rights, VM_INHERIT_SHARE);
        data = reinterpret_cast<std::byte*>(address);
        return failed;
    }
    void* mapped = ::mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                          segment.get(), static_cast<off_t>(offset));
    if (mapped == MAP_FAILED) return errno == EACCES ? KERN_PROTECTION_FAILURE : KERN_NO_SPACE;
    data = static_cast<std::byte*>(mapped);
    return KERN_SUCCESS;
}

}  // namespace macos

Result<Mapping> Mapping::map(const Handle& handle, std::size_t size, Access access, bool inherit,
                             std::uint64_t offset) {
    std::byte* data = nullptr;
    if (const int failed = macos::map(handle, offset, size, access == Access::read_write, data);
        failed != KERN_SUCCESS)
        return fail(
            failed == KERN_NO_SPACE ? ErrorCode::mapping_failed : ErrorCode::permission_denied,
            fmt::format("cannot map {} bytes: Mach error {}", size, failed));
    Mapping mapping;
    mapping.data_ = data;
    mapping.size_ = size;
    if (!inherit) SHM_TRY(mapping.let_inherit(false));
    return mapping;
}

Status Mapping::let_inherit(bool inherit) const {
    const auto failed =
        ::mach_vm_inherit(mach_task_self(), reinterpret_cast<mach_vm_address_t>(data_), size_,
                          inherit ? VM_INHERIT_SHARE : VM_INHERIT_NONE);
    if (failed == KERN_SUCCESS) return {};
    return fail(ErrorCode::mapping_failed,
                fmt::format("cannot change what a child inherits: Mach error {}", failed));
}

void Mapping::forbid(std::byte* data, std::size_t size) {
    (void)::mprotect(data, size, PROT_NONE);
}

Result<Mapping> Mapping::read_only_twin() const {
    mach_vm_address_t address = 0;
    vm_prot_t now = VM_PROT_NONE, most = VM_PROT_NONE;
    const auto failed = ::mach_vm_remap(
        mach_task_self(), &address, size_, 0, VM_FLAGS_ANYWHERE, mach_task_self(),
        reinterpret_cast<mach_vm_address_t>(data_), FALSE, &now, &most, VM_INHERIT_NONE);
    if (failed != KERN_SUCCESS)
        return fail(ErrorCode::mapping_failed,
                    fmt::format("cannot map {} bytes again: Mach error {}", size_, failed));
    Mapping twin;
    twin.data_ = reinterpret_cast<std::byte*>(address);
    twin.size_ = size_;
    if (::mprotect(twin.data_, size_, PROT_READ) != 0)
        return fail(system_error(errno, "cannot protect a mapping", ErrorCode::mapping_failed));
    return twin;
}

void Mapping::reset() {
    if (data_) ::munmap(data_, size_);
    data_ = nullptr;
    size_ = 0;
}

// Only of files: memory has no identity here, the backend knows it.
Result<FileIdentity> identity_of(const Handle& handle) {
    struct stat info {};
    if (macos::is_port(handle))
        return fail(ErrorCode::not_supported, "a memory entry has no identity of its own");
    if (::fstat(handle.get(), &info) != 0)
        return fail(system_error(errno, "cannot stat an open file"));
    return FileIdentity{static_cast<std::uint64_t>(info.st_dev), info.st_ino};
}

}  // namespace snakepit::shm
