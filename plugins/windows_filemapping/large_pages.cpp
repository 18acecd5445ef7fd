// SPDX-License-Identifier: MIT
#include "windows_filemapping/large_pages.h"

#include "platform/windows/native.h"

namespace snakepit::shm {

using namespace windows;

LargePages enable_large_pages() {
    const auto size = ::GetLargePageMinimum();
    if (size == 0) return {0, "this processor has no large pages"};
    HANDLE raw = nullptr;
    if (!::OpenProcessToken(::GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &raw))
        return {0, windows_error(::GetLastError(), "cannot enable a privilege").sentence()};
    const auto token = owned(raw);
    TOKEN_PRIVILEGES wanted{1, {{{0, 0}, SE_PRIVILEGE_ENABLED}}};
    // The call succeeds if the account does not have the privilege, and only the last error says
    // so.
    if (!::LookupPrivilegeValueW(nullptr, L"SeLockMemoryPrivilege", &wanted.Privileges[0].Luid) ||
        !::AdjustTokenPrivileges(raw, FALSE, &wanted, 0, nullptr, nullptr) ||
        ::GetLastError() != ERROR_SUCCESS)
        return {0,
                "this account has no right to lock pages in memory: grant it 'Lock pages in "
                "memory' in the local security policy and log on again"};
    return {size, {}};
}

}  // namespace snakepit::shm
