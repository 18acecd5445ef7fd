// SPDX-License-Identifier: MIT
#include "child.h"

#include <utility>

#include "platform/process.h"
#include "platform/windows/native.h"

namespace snakepit::shm::conformance {

using namespace windows;

Result<Child> Child::start(std::vector<std::string> words, const Handle* handed) {
    Handle inherited;
    if (handed) {
        inherited = handed->duplicate();
        ::SetHandleInformation(native(inherited), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
        words.push_back(std::to_string(inherited.get()));
    }
    const auto program = wide(own_executable());
    // No word has a blank or a quotation mark.
    auto line = L'"' + program + L'"';
    for (const auto& word : words) line += L" " + wide(word);
    STARTUPINFOW startup{};
    startup.cb = sizeof startup;
    PROCESS_INFORMATION info{};
    if (!::CreateProcessW(program.c_str(), line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr,
                          &startup, &info))
        return fail(windows_error(::GetLastError(), "cannot start a process"));
    ::CloseHandle(info.hThread);
    Child child;
    child.pid_ = info.dwProcessId;
    child.process_ = owned(info.hProcess);
    return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), process_(std::move(other.process_)) {}

Child::~Child() {
    kill();
}

void Child::kill() {
    if (pid_ == 0) return;
    ::TerminateProcess(native(process_), static_cast<UINT>(-1));
    (void)wait();
}

int Child::wait() {
    DWORD status = static_cast<DWORD>(-1);
    ::WaitForSingleObject(native(process_), INFINITE);
    ::GetExitCodeProcess(native(process_), &status);
    process_.reset();
    pid_ = 0;
    return static_cast<int>(status);
}

Handle handed_handle(const std::string& word) {
    return Handle(std::stoi(word));
}

std::int64_t own_pid() {
    return static_cast<std::int64_t>(::GetCurrentProcessId());
}

bool overrides_permissions() {
    return false;
}

}  // namespace snakepit::shm::conformance
