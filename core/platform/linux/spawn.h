// SPDX-License-Identifier: MIT
// posix_spawn(): its arguments, and its attributes with an owner.
#pragma once

#include <fcntl.h>
#include <spawn.h>

#include <csignal>
#include <initializer_list>
#include <string>
#include <vector>

namespace snakepit::shm {

// As the kernel wants it: pointers into `words`, then null.
inline std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (auto& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

// Default handling of all signals, and no descriptors but standard ones: -1 is /dev/null. Other
// code in this process may have opened descriptors without close-on-exec.
class SpawnWays {
  public:
    // With `own_group`, a process group of its own. `blocked`: signals it does not get.
    SpawnWays(int input, int output, int errors, bool own_group,
              std::initializer_list<int> blocked = {}) {
        ::posix_spawn_file_actions_init(&actions);
        set_stream(0, input);
        set_stream(1, output);
        set_stream(2, errors);
        ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        ::posix_spawnattr_init(&attributes);
        sigset_t mask, all;
        ::sigemptyset(&mask);
        for (const int number : blocked) ::sigaddset(&mask, number);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes, &mask);
        ::posix_spawnattr_setsigdefault(&attributes, &all);
        ::posix_spawnattr_setpgroup(&attributes, 0);
        const int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                          (own_group ? POSIX_SPAWN_SETPGROUP : 0);
        ::posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
    }
    ~SpawnWays() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    SpawnWays(const SpawnWays&) = delete;
    SpawnWays& operator=(const SpawnWays&) = delete;

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};

  private:
    void set_stream(int number, int from) {
        if (from >= 0)
            ::posix_spawn_file_actions_adddup2(&actions, from, number);
        else
            ::posix_spawn_file_actions_addopen(&actions, number, "/dev/null",
                                               number == 0 ? O_RDONLY : O_WRONLY, 0);
    }
};

}  // namespace snakepit::shm
