// SPDX-License-Identifier: MIT
// What the kernel reports of a process and of all that descend from it: who is started, which
// program each runs, what it maps, and who ends. Nobody is stopped or slowed down for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

class RecordSink {
  public:
    virtual ~RecordSink() = default;
    virtual void on_forked(std::int64_t pid, std::int64_t parent) = 0;
    virtual void on_named(std::int64_t pid, std::string name) = 0;
    virtual void on_exited(std::int64_t pid) = 0;  // its first thread
    virtual void on_mapped(std::int64_t pid, std::uint64_t device, std::uint64_t inode) = 0;
    virtual void on_lost() = 0;  // there was more than could be kept
};

// Software events of perf_event_open(2), in one ring of records for each processor. Whether an
// ordinary user may have them is set by kernel.perf_event_paranoid (at most 2). One thread.
class KernelRecords {
  public:
    // From now on; `pid` must not have started anything yet.
    static Result<KernelRecords> open(std::int64_t pid);
    KernelRecords(KernelRecords&&) noexcept = default;
    KernelRecords& operator=(KernelRecords&&) noexcept = default;
    ~KernelRecords() = default;

    // Readable when a ring is half full.
    std::vector<int> descriptors() const;
    void drain(RecordSink& sink);

  private:
    // One processor's ring: a page that says how far each side is, and the records behind it.
    class Ring {
      public:
        static Result<Ring> open(std::int64_t pid, int processor, std::size_t bytes);
        Ring(Ring&& other) noexcept;
        Ring& operator=(Ring&& other) noexcept;
        ~Ring();
        int descriptor() const { return event_.get(); }
        void drain(RecordSink& sink);

      private:
        Ring() = default;
        void copy(std::uint64_t at, std::vector<std::byte>& record, std::size_t bytes) const;

        Handle event_;
        std::byte* memory_ = nullptr;
        std::size_t bytes_ = 0;  // of the records
    };

    KernelRecords() = default;
    std::vector<Ring> rings_;
};

}  // namespace snakepit::shm::survey
