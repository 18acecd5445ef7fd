// SPDX-License-Identifier: MIT
// Mappings of sections. Files of the manager (MappedFile) are not ported.
#include "platform/mapped_file.h"

#include <fmt/format.h>

#include "platform/windows/section.h"

namespace snakepit::shm {

using namespace windows;

// A view begins at a multiple of 64 KiB; the mapping may begin later in it.
Result<Mapping> Mapping::map(const Handle& handle, std::size_t size, Access access, bool inherit,
                             std::uint64_t offset) {
    constexpr std::uint64_t kGranularity = 64 * 1024;
    const auto begin = offset / kGranularity * kGranularity;
    const auto before = static_cast<std::size_t>(offset - begin);
    const DWORD rights =
        access == Access::read_write ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ;
    Mapping mapping;
    if (inherit) SHM_TRY(mapping.let_inherit(true));
    auto* const view = static_cast<std::byte*>(
        ::MapViewOfFile(native(handle), rights, static_cast<DWORD>(begin >> 32),
                        static_cast<DWORD>(begin), size + before));
    if (!view)
        return fail(windows_error(::GetLastError(), fmt::format("cannot map {} bytes", size),
                                  ErrorCode::mapping_failed));
    mapping.data_ = view + before;
    mapping.size_ = size;
    return mapping;
}

// A new process never has its parent's views.
Status Mapping::let_inherit(bool inherit) const {
    if (!inherit) return {};
    return fail(ErrorCode::not_supported, "Windows does not let a mapping be inherited",
                "map the segment in the new process");
}

void Mapping::forbid(std::byte* data, std::size_t size) {
    DWORD before = 0;
    (void)::VirtualProtect(data, size, PAGE_NOACCESS, &before);
}

void Mapping::reset() {
    MEMORY_BASIC_INFORMATION info;
    if (data_ && ::VirtualQuery(data_, &info, sizeof info) != 0)
        ::UnmapViewOfFile(info.AllocationBase);
    data_ = nullptr;
    size_ = 0;
}

Result<FileIdentity> identity_of(const Handle& handle) {
    SHM_ASSIGN(const auto mark, mark_of(native(handle)));
    return mark.identity;
}

Result<std::uint64_t> size_of(const Handle& handle) {
    SHM_ASSIGN(const auto mark, mark_of(native(handle)));
    return mark.size;
}

}  // namespace snakepit::shm
