// SPDX-License-Identifier: MIT
// Locks that the kernel gives back when a process image ends, whatever ends it.
//
// flock belongs to an open file description, and a mapping keeps its description alive. A
// description whose descriptor is closed and whose only mapping is not inherited by children
// (Mapping::map) therefore holds its lock for exactly as long as this process image lives:
// exit, kill -9, an unreaped zombie and exec end it; SIGSTOP and closing descriptors do not.
#pragma once

#include <string>

#include "base/handle.h"
#include "base/result.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// Manager: a descriptor of `path` of its own that holds a shared lock, close-on-exec, to be handed
// to the client. Whoever keeps the last copy of it, or a mapping made from it, holds the lock.
Result<Handle> open_liveness_lock(const std::string& path);

// True while some process image holds the liveness lock of `path`; false also when the file is
// gone.
Result<bool> liveness_lock_held(const std::string& path);
// Of the file that is open here, whatever its name leads to now.
Result<bool> liveness_lock_held(const Handle& file);

// An exclusive lock for the life of this process image, with the holder's pid written in the file.
class ExclusiveLock {
  public:
    // instance_in_use, naming the pid, when another process has it. Retries for `patience_ms` while
    // the process named in the file no longer exists: the kernel may still be tearing it down.
    static Result<ExclusiveLock> acquire(const std::string& path, int patience_ms);

    ExclusiveLock() = default;
    // Which file it is on: another one under its path can be locked by somebody else.
    const FileIdentity& identity() const { return identity_; }

  private:
    Mapping mapping_;
    FileIdentity identity_;
};

// The same of a file that is open, for as long as that description lives: for files that only one
// process may write to, whoever removed the lock above. False: somebody else has it, still after
// `patience_ms`.
bool lock_for_life(const Handle& file, int patience_ms);

}  // namespace snakepit::shm
