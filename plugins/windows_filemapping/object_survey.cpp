// SPDX-License-Identifier: MIT
#include "windows_filemapping/object_survey.h"

#include <windows.h>
#include <winternl.h>

#include <algorithm>
#include <cstddef>
#include <map>

#include <fmt/format.h>

// Not in the headers: documented by Microsoft only in part.
extern "C" {
NTSTATUS NTAPI NtOpenDirectoryObject(HANDLE* directory, ACCESS_MASK access,
                                     OBJECT_ATTRIBUTES* attributes);
NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE directory, PVOID buffer, ULONG size, BOOLEAN one,
                                      BOOLEAN restart, ULONG* context, ULONG* needed);
}

namespace snakepit::shm {

using namespace windows;

namespace {

constexpr NTSTATUS kTooSmall = static_cast<NTSTATUS>(0xC0000004);  // STATUS_INFO_LENGTH_MISMATCH
constexpr NTSTATUS kNoMore = static_cast<NTSTATUS>(0x8000001A);    // STATUS_NO_MORE_ENTRIES

tl::unexpected<Error> failed(NTSTATUS status, std::string_view what) {
    return fail(windows_error(::RtlNtStatusToDosError(status), what));
}

std::wstring_view view(const UNICODE_STRING& text) {
    return {text.Buffer, text.Length / sizeof(wchar_t)};
}

std::wstring directory_name(bool global) {
    DWORD session = 0;
    if (global || !::ProcessIdToSessionId(::GetCurrentProcessId(), &session) || session == 0)
        return L"\\BaseNamedObjects";
    return wide(fmt::format("\\Sessions\\{}\\BaseNamedObjects", session));
}

// SystemExtendedHandleInformation
struct SystemHandle {
    PVOID object;
    ULONG_PTR process, handle;
    ULONG access;
    USHORT trace, type;
    ULONG attributes, reserved;
};
struct SystemHandles {
    ULONG_PTR count, reserved;
    SystemHandle handles[1];
};
constexpr auto kExtendedHandles = static_cast<SYSTEM_INFORMATION_CLASS>(64);

Result<std::vector<SystemHandle>> all_handles() {
    std::vector<std::byte> buffer(1 << 20);
    ULONG needed = 0;
    NTSTATUS status = kTooSmall;
    while ((status = ::NtQuerySystemInformation(kExtendedHandles, buffer.data(),
                                                static_cast<ULONG>(buffer.size()), &needed)) ==
           kTooSmall)
        buffer.resize(std::max<std::size_t>(needed, buffer.size()) + (1 << 16));
    if (status < 0) return failed(status, "cannot list the handles of processes");
    const auto* const all = reinterpret_cast<const SystemHandles*>(buffer.data());
    return std::vector<SystemHandle>(all->handles, all->handles + all->count);
}

// NtCompareObjects came with Windows 10.
bool same_object(HANDLE one, HANDLE other) {
    using Compare = NTSTATUS(NTAPI*)(HANDLE, HANDLE);
    static const auto compare = reinterpret_cast<Compare>(reinterpret_cast<void*>(
        ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtCompareObjects")));
    return compare && compare(one, other) == 0;
}

}  // namespace

Result<std::vector<std::wstring>> section_names(bool global) {
    auto path = directory_name(global);
    UNICODE_STRING name;
    ::RtlInitUnicodeString(&name, path.c_str());
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
    HANDLE raw = nullptr;
    constexpr ACCESS_MASK kQuery = 1;  // DIRECTORY_QUERY
    if (const auto status = ::NtOpenDirectoryObject(&raw, kQuery, &attributes); status < 0)
        return failed(status, "cannot list segments");
    const auto directory = owned(raw);
    struct Entry {
        UNICODE_STRING name, type;
    };
    std::vector<std::wstring> out;
    alignas(Entry) std::byte buffer[2048];
    ULONG at = 0;
    for (;;) {
        const auto status =
            ::NtQueryDirectoryObject(raw, buffer, sizeof buffer, TRUE, FALSE, &at, nullptr);
        if (status == kNoMore) return out;
        if (status < 0) return failed(status, "cannot list segments");
        const auto& entry = *reinterpret_cast<const Entry*>(buffer);
        if (view(entry.type) == L"Section") out.emplace_back(view(entry.name));
    }
}

Result<std::uint32_t> handle_count(HANDLE object) {
    PUBLIC_OBJECT_BASIC_INFORMATION info{};
    const auto status =
        ::NtQueryObject(object, ObjectBasicInformation, &info, sizeof info, nullptr);
    if (status < 0) return failed(status, "cannot count the users of a segment");
    return info.HandleCount;
}

Result<std::vector<std::int64_t>> processes_with(HANDLE section) {
    SHM_ASSIGN(const auto handles, all_handles());
    const auto own = static_cast<ULONG_PTR>(::GetCurrentProcessId());
    const auto mine = std::ranges::find_if(handles, [&](const auto& entry) {
        return entry.process == own && entry.handle == reinterpret_cast<ULONG_PTR>(section);
    });
    std::map<ULONG_PTR, Handle> processes;
    std::vector<std::int64_t> out;
    for (const auto& entry : handles) {
        if (mine != handles.end() && entry.type != mine->type) continue;
        const auto pid = static_cast<std::int64_t>(entry.process);
        if (std::ranges::find(out, pid) != out.end()) continue;
        auto& process = processes[entry.process];
        if (!process)
            process =
                owned(::OpenProcess(PROCESS_DUP_HANDLE, FALSE, static_cast<DWORD>(entry.process)));
        HANDLE copy = nullptr;
        if (!process ||
            !::DuplicateHandle(native(process), reinterpret_cast<HANDLE>(entry.handle),
                               ::GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
            continue;
        const auto owner = owned(copy);
        if (same_object(copy, section)) out.push_back(pid);
    }
    return out;
}

}  // namespace snakepit::shm
