// SPDX-License-Identifier: MIT
#include "child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "platform/process.h"
#include "posix/hand_over.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not declared on every system

namespace snakepit::shm::conformance {

Result<Child> Child::start(std::vector<std::string> words, const Handle* handed) {
    auto program = own_executable();
    words.insert(words.begin(), program);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    if (handed) words.push_back(hand_over(*handed, actions));
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int failed =
        ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return fail(system_error(failed, "cannot start a process"));
    Child child;
    child.pid_ = pid;
    return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), process_(std::move(other.process_)) {}

Child::~Child() {
    kill();
}

void Child::kill() {
    if (pid_ == 0) return;
    ::kill(static_cast<pid_t>(pid_), SIGKILL);
    (void)wait();
}

int Child::wait() {
    int status = 0;
    while (::waitpid(static_cast<pid_t>(pid_), &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::int64_t own_pid() {
    return ::getpid();
}

bool overrides_permissions() {
    return ::geteuid() == 0;
}

}  // namespace snakepit::shm::conformance
