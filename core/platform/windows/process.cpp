// SPDX-License-Identifier: MIT
#include "platform/process.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/channel.h"
#include "platform/windows/native.h"

namespace snakepit::shm {

using namespace windows;

namespace {

tl::unexpected<Error> no_process(std::int64_t pid) {
    return fail(ErrorCode::platform_error, fmt::format("process {} does not exist", pid));
}

// A process can be opened for as long as anybody has a handle to it, even if it has ended.
Result<Handle> open_process(std::int64_t pid, DWORD rights) {
    auto process = owned(::OpenProcess(rights | SYNCHRONIZE, FALSE, static_cast<DWORD>(pid)));
    if (process) return has_exited(process) ? Result<Handle>(no_process(pid)) : std::move(process);
    if (const auto failed = ::GetLastError(); failed != ERROR_INVALID_PARAMETER)
        return fail(windows_error(failed, fmt::format("cannot open process {}", pid)));
    return no_process(pid);
}

// "C:\…\python.exe" becomes "python".
std::string program_name(HANDLE process) {
    wchar_t path[MAX_PATH * 4];
    DWORD size = std::size(path);
    if (!::QueryFullProcessImageNameW(process, 0, path, &size)) return {};
    std::wstring_view name(path, size);
    name.remove_prefix(name.find_last_of(L'\\') + 1);
    return utf8(name.substr(0, std::min(name.rfind(L'.'), name.size())));
}

}  // namespace

Result<ProcessInfo> inspect_process(std::int64_t pid) {
    SHM_ASSIGN(const auto process, open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION));
    return inspect_process(process, pid);
}

Result<ProcessInfo> inspect_process(const Handle& process, std::int64_t pid) {
    FILETIME created, exited, kernel, user;
    if (!::GetProcessTimes(native(process), &created, &exited, &kernel, &user))
        return fail(windows_error(::GetLastError(), fmt::format("cannot read process {}", pid)));
    SHM_ASSIGN(const auto accounts, accounts_of(native(process)));
    ProcessInfo info;
    info.pid = pid;
    info.start_time = static_cast<std::int64_t>(std::uint64_t{created.dwHighDateTime} << 32 |
                                                created.dwLowDateTime);
    info.uid = account_number(accounts.user_sid());
    info.gid = account_number(accounts.group_sid());
    info.zombie = info.ending = has_exited(process);
    info.name = program_name(native(process));
    return info;
}

Result<Handle> watch_process(std::int64_t pid) {
    return open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION);
}

bool has_exited(const Handle& process) {
    return ::WaitForSingleObject(native(process), 0) == WAIT_OBJECT_0;
}

std::uint32_t current_thread() {
    return ::GetCurrentThreadId();
}

std::string own_executable() {
    wchar_t path[MAX_PATH * 4];
    return utf8({path, ::GetModuleFileNameW(nullptr, path, std::size(path))});
}

// The client of a named pipe, of which this process has the server's end.
Result<Credentials> peer_of(const Handle& pipe) {
    ULONG pid = 0;
    if (!::GetNamedPipeClientProcessId(native(pipe), &pid))
        return fail(windows_error(::GetLastError(), "cannot identify the connected process"));
    SHM_ASSIGN(const auto info, inspect_process(static_cast<std::int64_t>(pid)));
    return Credentials{info.pid, info.uid, info.gid};
}

}  // namespace snakepit::shm
