// SPDX-License-Identifier: MIT
#include "platform/windows/native.h"

#include <fmt/format.h>

namespace snakepit::shm::windows {

namespace {

struct Translation {
    DWORD number;
    ErrorCode code;
    const char* remedy;
};

constexpr Translation kTranslations[] = {
    {ERROR_ACCESS_DENIED, ErrorCode::permission_denied, "run it as the user who owns the instance"},
    {ERROR_PRIVILEGE_NOT_HELD, ErrorCode::permission_denied,
     "give the account the privilege in the local security policy"},
    {ERROR_COMMITMENT_LIMIT, ErrorCode::no_space, "enlarge the page file, or request less"},
    {ERROR_NOT_ENOUGH_MEMORY, ErrorCode::no_space, "enlarge the page file, or request less"},
    {ERROR_NO_SYSTEM_RESOURCES, ErrorCode::no_space, "end programs that use much memory"},
    {ERROR_DISK_FULL, ErrorCode::no_space, "free space on the disk of the page file"},
};

std::string text_of(DWORD number) {
    wchar_t* text = nullptr;
    const auto length = ::FormatMessageW(
        FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
        nullptr, number, 0, reinterpret_cast<wchar_t*>(&text), 0, nullptr);
    const LocalMemory<wchar_t> owner(text);
    std::wstring_view message(text ? text : L"", text ? length : 0);
    while (!message.empty() && (message.back() == L'\n' || message.back() == L'\r' ||
                                message.back() == L'.' || message.back() == L' '))
        message.remove_suffix(1);
    return message.empty() ? fmt::format("error {}", number) : utf8(message);
}

}  // namespace

Error windows_error(DWORD number, std::string_view what, ErrorCode fallback) {
    auto error = make_error(fallback, fmt::format("{}: {}", what, text_of(number)));
    for (const auto& entry : kTranslations) {
        if (entry.number != number) continue;
        error.code = entry.code;
        error.remedy = entry.remedy;
    }
    error.system_error = static_cast<int>(number);
    return error;
}

std::wstring wide(std::string_view text) {
    const auto size = static_cast<int>(text.size());
    std::wstring out(
        static_cast<std::size_t>(::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, nullptr, 0)),
        L'\0');
    ::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, out.data(), static_cast<int>(out.size()));
    return out;
}

std::string utf8(std::wstring_view text) {
    const auto size = static_cast<int>(text.size());
    std::string out(static_cast<std::size_t>(::WideCharToMultiByte(CP_UTF8, 0, text.data(), size,
                                                                   nullptr, 0, nullptr, nullptr)),
                    '\0');
    ::WideCharToMultiByte(CP_UTF8, 0, text.data(), size, out.data(), static_cast<int>(out.size()),
                          nullptr, nullptr);
    return out;
}

std::uint32_t account_number(PSID sid) {
    const auto count = *::GetSidSubAuthorityCount(sid);
    return count > 0 ? *::GetSidSubAuthority(sid, count - 1U) : 0;
}

namespace {

// One of the structures that begin with a pointer to a SID, as the bytes of that SID.
Result<std::string> token_sid(HANDLE token, TOKEN_INFORMATION_CLASS what) {
    alignas(void*) char buffer[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    DWORD size = 0;
    if (!::GetTokenInformation(token, what, buffer, sizeof buffer, &size))
        return fail(windows_error(::GetLastError(), "cannot read a process's account"));
    auto* const sid = *reinterpret_cast<PSID*>(buffer);
    return std::string(static_cast<const char*>(sid), ::GetLengthSid(sid));
}

}  // namespace

Result<TokenAccounts> accounts_of(HANDLE process) {
    HANDLE raw = nullptr;
    if (!::OpenProcessToken(process, TOKEN_QUERY, &raw))
        return fail(windows_error(::GetLastError(), "cannot read a process's account"));
    const auto token = owned(raw);
    TokenAccounts accounts;
    SHM_ASSIGN(accounts.user, token_sid(raw, TokenUser));
    SHM_ASSIGN(accounts.group, token_sid(raw, TokenPrimaryGroup));
    return accounts;
}

}  // namespace snakepit::shm::windows
