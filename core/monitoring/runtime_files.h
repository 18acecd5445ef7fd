// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "platform/file_state.h"

namespace snakepit::shm {

// The files in the runtime directory that a running manager and its clients find each other by, and
// those it goes on from after a restart. It has them open, so it does not notice by itself that one
// was removed, replaced or cut (by a program that cleans /run or /tmp). Service thread only.
class RuntimeFiles {
  public:
    struct Fault {
        std::string path;
        std::string what;         // "was removed", "was replaced", "was cut to 0 bytes"
        std::string consequence;  // a clause
        std::string remedy;
    };

    // Remembers what these paths lead to now: once all of them are there.
    void watch(const InstancePaths& paths);
    // The path leads to another file on purpose.
    void renew(const std::string& path);
    // A few system calls; about once a second.
    void check();

    const std::vector<Fault>& faults() const { return faults_; }
    // What is wrong with this path; empty: nothing.
    std::string fault_of(const std::string& path) const;

  private:
    struct Watched {
        std::string path;
        const char* consequence;
        const char* remedy;
        FileState made;
    };
    std::vector<Watched> watched_;
    std::vector<Fault> faults_;
};

}  // namespace snakepit::shm
