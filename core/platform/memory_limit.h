// SPDX-License-Identifier: MIT
// How much memory this process can allocate before the kernel has to kill a process: the free
// memory of the host and the remaining limit of each control group of this process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

struct MemoryLeft {
    std::uint64_t bytes =
        0;  // can be allocated; a reserve for everything else is already subtracted
    std::uint64_t limit = 0;  // of the host or group with the least remaining memory
    std::string limited_by;   // "the host", or "control group /a/b"
    std::string not_known;    // why a possible limit could not be read; empty: all were read
};

// Supports control groups of version 1, version 2, and both (hybrid). A group's inactive file pages
// count as free; its shared memory does not, because the kernel could only move it to swap. A limit
// that cannot be read is reported as unknown and ignored. The files stay open and are read again
// each time; a move to another group is detected. Thread-safe.
class MemoryLimit {
  public:
    // `root`: prefix of /proc and /sys, for tests.
    explicit MemoryLimit(std::string root = {});
    ~MemoryLimit();
    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;

    // The limits of this process, created on first use.
    static MemoryLimit& own();

    MemoryLeft left();
    // no_space if `bytes` more are not available in addition to those already promised.
    Status check(std::uint64_t bytes);

    // Bytes promised to one request and not allocated yet: they are not promised to another
    // request.
    class Promise {
      public:
        Promise(Promise&& other) noexcept;
        Promise& operator=(Promise&&) = delete;
        ~Promise();
        // Reports that `bytes` of them are allocated and now count in the groups' usage.
        void taken(std::uint64_t bytes);
        // no_space if other processes allocated so much meanwhile that the rest is not available.
        Status check() const;

      private:
        friend class MemoryLimit;
        Promise(MemoryLimit& limit, std::uint64_t bytes) : limit_(&limit), bytes_(bytes) {}
        MemoryLimit* limit_;
        std::uint64_t bytes_;
    };
    Result<Promise> promise(std::uint64_t bytes) { return promise(bytes, bytes); }

    // Reserves the pages of a file on a tmpfs or of a memfd, which keeps its size. Works in pieces,
    // so that concurrent allocations are detected; `go_on` is called before each piece, and its
    // error ends the call. no_space before the kernel would have to kill a process; reserved pages
    // stay. An error of the file system has a system_error.
    Status reserve(const Handle& file, std::uint64_t offset, std::uint64_t size,
                   const std::function<Status()>& go_on = {});

  private:
    struct Groups;
    MemoryLeft find(std::uint64_t bytes);
    Status fits(std::uint64_t bytes, std::uint64_t asked);
    Result<Promise> promise(std::uint64_t bytes, std::uint64_t asked);

    std::unique_ptr<Groups> groups_;
};

}  // namespace snakepit::shm
