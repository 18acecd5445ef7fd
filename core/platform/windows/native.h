// SPDX-License-Identifier: MIT
// What the Windows sources share. Kernel handles have 32 significant bits, so a Handle holds them.
#pragma once

#include <windows.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::windows {

inline HANDLE native(const Handle& handle) {
    return reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(handle.get()));
}
// Takes over a handle that a call returned; NULL and INVALID_HANDLE_VALUE become an invalid one.
inline Handle owned(HANDLE handle) {
    return handle ? Handle(static_cast<int>(reinterpret_cast<std::intptr_t>(handle))) : Handle();
}

// The only place where an error of Windows becomes an error of ours, as system_error() for errno.
Error windows_error(DWORD number, std::string_view what,
                    ErrorCode fallback = ErrorCode::platform_error);

std::wstring wide(std::string_view utf8);
std::string utf8(std::wstring_view text);

struct LocalFreer {
    void operator()(void* memory) const { ::LocalFree(memory); }
};
template <typename T>
using LocalMemory = std::unique_ptr<T, LocalFreer>;

// The last number of an account's SID; it stands for the account where POSIX systems have a uid.
std::uint32_t account_number(PSID sid);

// A SID of this process's token, or another's: who it runs as, and its primary group.
struct TokenAccounts {
    std::string user, group;  // the bytes of the SIDs
    PSID user_sid() const { return const_cast<char*>(user.data()); }
    PSID group_sid() const { return const_cast<char*>(group.data()); }
};
Result<TokenAccounts> accounts_of(HANDLE process);

}  // namespace snakepit::shm::windows
