// SPDX-License-Identifier: MIT
// What verdicts ask about processes. Each question has three answers, and what may not be read is
// never a no.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "survey/host_survey.h"
#include "survey/known_programs.h"

namespace snakepit::shm::survey {

enum class Answer : std::uint8_t { no, yes, not_told };

struct ProcessFacts {
    std::int64_t pid = 0;
    Life life = Life::not_told;
    std::string name;          // of one that lives and may be looked at
    std::int64_t process = 0;  // the number is a thread's: the process it belongs to
    bool kernel = false;       // a part of the kernel
    std::int64_t started = 0;  // clock ticks since boot; 0: not known
};

// Whom owner, mode and access list let use a segment. What an administrator may is left out, unless
// he is one of them.
struct Access {
    std::vector<std::uint32_t> users, groups;
    bool everybody = false;
    bool operator<(const Access& other) const {
        return std::tie(users, groups, everybody) <
               std::tie(other.users, other.groups, other.everybody);
    }
};
Access access_of(const HostSegment& segment);

struct Found {
    Answer answer = Answer::not_told;
    std::int64_t pid = 0;  // of yes: an example; of no: one of root's, 0 if there is none
    std::string name;
    bool partly = false;  // of no: some could only be told by their names
};

// The processes there are. What is asked for is read then, and once.
class ProcessView {
  public:
    virtual ~ProcessView() = default;
    // gone only where no process, and no hidden one either, has that number.
    virtual ProcessFacts find(std::int64_t pid) const = 0;
    // Whether it was there when the processes were listed. Costs nothing.
    virtual bool is_listed(std::int64_t pid) const = 0;
    // A process whose number in its own pid namespace is `pid`, among those of other namespaces
    // that share the file system `device`.
    virtual Found find_in_containers(std::uint64_t device, std::int64_t pid) const = 0;
    // Any process but this one that `access` lets in.
    virtual Found anyone(const Access& access) const = 0;
    // One that runs any of `software`. Of root everybody's: its processes become other users'.
    virtual Found find_software(std::uint32_t uid, SoftwareSet software) const = 0;
    // A process of an administrator in our IPC namespace, whom owner and mode do not keep out.
    // Services of the operating system do not count (is_system_service()), nor do the processes
    // that started this one.
    virtual Found find_administrator() const = 0;
};

}  // namespace snakepit::shm::survey
