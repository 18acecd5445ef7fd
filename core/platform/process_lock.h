// SPDX-License-Identifier: MIT
// Locks that the kernel releases when a process image ends, however it ends.
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

// Manager: opens a new descriptor of `path` with a shared lock, close-on-exec, for the client. The
// process with the last copy of it, or with a mapping created from it, holds the lock.
Result<Handle> open_liveness_lock(const std::string& path);

// True while a process image holds the liveness lock of `path`; false also if the file does not
// exist.
Result<bool> liveness_lock_held(const std::string& path);
// The same for an open file, whatever its name refers to now.
Result<bool> liveness_lock_held(const Handle& file);

// An exclusive lock for the life of this process image, with the holder's pid written in the file.
class ExclusiveLock {
  public:
    // instance_in_use, naming the pid, when another process has it. Retries for `patience_ms` while
    // the process named in the file no longer exists: the kernel may still be tearing it down.
    static Result<ExclusiveLock> acquire(const std::string& path, int patience_ms);

    ExclusiveLock() = default;
    // The identity of the locked file: another process can lock a different file at the same path.
    const FileIdentity& identity() const { return identity_; }

  private:
    Mapping mapping_;
    FileIdentity identity_;
};

// The same for an open file, for the life of its description: for files with a single writer, even
// if the lock file above was removed. False: another process still has it after `patience_ms`.
bool lock_for_life(const Handle& file, int patience_ms);

}  // namespace snakepit::shm
