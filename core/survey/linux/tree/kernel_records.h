// SPDX-License-Identifier: MIT
// The kernel's reports about a process and its descendants: started processes, executed programs,
// mappings and exits. It does not stop or slow down any process.
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
    virtual void on_lost() = 0;  // records were lost
};

// Software events of perf_event_open(2), in one ring per processor. Ordinary users need
// kernel.perf_event_paranoid of at most 2. One thread.
class KernelRecords {
  public:
    // Starts recording; `pid` must not have started any process yet.
    static Result<KernelRecords> open(std::int64_t pid);
    KernelRecords(KernelRecords&&) noexcept = default;
    KernelRecords& operator=(KernelRecords&&) noexcept = default;
    ~KernelRecords() = default;

    // Readable when a ring is half full.
    std::vector<int> descriptors() const;
    void drain(RecordSink& sink);

  private:
    // One processor's ring: a page with both positions, followed by the records.
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
