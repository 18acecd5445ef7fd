// SPDX-License-Identifier: MIT
// Where segments are: our own directory and table, and those of other namespaces.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

struct MemoryMounts;

// A directory of POSIX segments.
struct FilePlace {
    std::uint64_t name_space = 0;  // inode of the mount namespace; 0: ours, and our root
    std::string mark;              // in front of its segments' names: "@4026532210:"; empty: ours
    std::string path;              // path path as its processes see it
    std::string container;
    Handle directory;
    std::uint64_t device = 0;
    bool in_memory = true;  // its files do not survive a reboot
};

// A table of System V segments.
struct TablePlace {
    std::uint64_t name_space = 0;  // inode of the ipc namespace; 0: ours
    std::string container;
    Handle entrance;  // what setns() takes; none for ours
};

struct Places {
    std::vector<FilePlace> files;    // ours first
    std::vector<TablePlace> tables;  // ours first
    std::uint64_t own_ipc_ns = 0;
    bool outermost = true;  // no process is outside our pid namespace, and user ids are the same
    std::vector<std::string> limits;
};

// Our own directory must exist. `table` gets the containers that share a directory's files.
Result<Places> find_places(ProcessTable& table, const MemoryMounts& mounts,
                           const std::string& shm_path);

// Whether its file system is a memory file system.
bool in_memory(const Handle& directory);

// Runs `work` on a new thread after `enter` moved it into a namespace. False, with errno, if the
// namespace cannot be entered.
bool inside(const std::function<bool()>& enter, const std::function<void()>& work);

// The same in the namespace of `place`; directly for our own.
bool inside(const TablePlace& place, const std::function<void()>& work);

// The last part of its control group's path: "nginx.service", "session-2.scope"; empty: unknown.
std::string control_group_of(const ProcessTable& table, std::int64_t pid);

// "docker 0123456789ab", "service nginx.service", or one of its processes; from its control group.
std::string container_of(const ProcessTable& table, std::int64_t pid);

}  // namespace snakepit::shm::survey
