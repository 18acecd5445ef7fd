// SPDX-License-Identifier: MIT
// How much memory this process can take before the kernel ends some process to find it: what the
// host has left, and what each control group this process is in leaves.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

struct MemoryLeft {
    std::uint64_t bytes = 0;  // can be taken; a reserve for everything else is taken off already
    std::uint64_t limit = 0;  // of the host or the group that leaves the least
    std::string limited_by;   // "the host", or "control group /a/b"
    std::string not_known;    // why a limit that may exist could not be read; empty: all were read
};

// Knows control groups of version 1, of version 2, and both at once (hybrid). A group's pages of
// files that nobody used lately count as free; its shared memory does not, for the kernel could
// only move it to swap. A limit that cannot be read is reported as not known and limits nothing.
// The files stay open and are read anew each time; a process that was moved to another group is
// noticed. Thread-safe.
class MemoryLimit {
  public:
    // `root`: where /proc and /sys are, for tests.
    explicit MemoryLimit(std::string root = {});
    ~MemoryLimit();
    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;

    // Of this process, made when it is first asked for.
    static MemoryLimit& own();

    MemoryLeft left();
    // no_space when so many bytes more cannot be had beside those that are promised.
    Status check(std::uint64_t bytes);

    // Bytes that one request was told it can have and did not take yet: nobody else is told so of
    // the same ones.
    class Promise {
      public:
        Promise(Promise&& other) noexcept;
        Promise& operator=(Promise&&) = delete;
        ~Promise();
        // So many of them are taken: they show in what the groups use.
        void taken(std::uint64_t bytes);
        // no_space when others took so much meanwhile that the rest cannot be had any more.
        Status check() const;

      private:
        friend class MemoryLimit;
        Promise(MemoryLimit& limit, std::uint64_t bytes) : limit_(&limit), bytes_(bytes) {}
        MemoryLimit* limit_;
        std::uint64_t bytes_;
    };
    Result<Promise> promise(std::uint64_t bytes) { return promise(bytes, bytes); }

    // Takes the pages of a file on a tmpfs, or of a memfd, which keeps its size. Piece by piece, so
    // that others who take memory meanwhile are noticed; `go_on` is asked before each, and its
    // error ends it. no_space before the kernel would have to end a process; what was reserved
    // stays then. An error of the file system itself has a system_error.
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
