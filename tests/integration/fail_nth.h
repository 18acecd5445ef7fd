// SPDX-License-Identifier: MIT
// Makes one system call of a process fail: the one with a given number among those that have to do
// with segments. Loaded with LD_PRELOAD; a file that both sides map says which.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <string>

namespace snakepit::shm::test {

inline constexpr const char* kFailFile = "FAIL_NTH_FILE";  // the environment's name for it

struct FailNth {
    std::atomic<int> at;    // 0: none fails
    std::atomic<int> seen;  // calls of that kind since it was set

    void arm(int number) {
        seen.store(0);
        at.store(number);
    }
    // False: there were fewer calls than that.
    bool disarm() { return at.exchange(0) <= seen.load(); }

    static FailNth* map(const std::string& path) {
        const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0 || ::ftruncate(file, 4096) != 0) return nullptr;
        void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        return page == MAP_FAILED ? nullptr : static_cast<FailNth*>(page);
    }
};

}  // namespace snakepit::shm::test
