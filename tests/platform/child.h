// SPDX-License-Identifier: MIT
// Another process of the conformance suite. One source for each kind of system.
#pragma once

#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::conformance {

class Child {
  public:
    // Starts this program with these words. With `handed` the child gets a copy of that handle,
    // and one word more, from which it takes it with handed_handle().
    static Result<Child> start(std::vector<std::string> words, const Handle* handed);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();  // kills it

    std::int64_t pid() const { return pid_; }
    // Ends it at once, as if it had crashed, and waits until it has ended.
    void kill();
    // Waits until it has ended by itself; its exit status, -1 if it was killed.
    int wait();

  private:
    Child() = default;
    std::int64_t pid_ = 0;  // 0: it has ended and was waited for
    Handle process_;        // on Windows
};

Handle handed_handle(const std::string& word);
// This process's id.
std::int64_t own_pid();
// Whether the system lets this process open what its permissions forbid, as it does for root.
bool overrides_permissions();

}  // namespace snakepit::shm::conformance
