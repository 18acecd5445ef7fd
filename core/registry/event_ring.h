// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <span>

#include "layout/registry_layout.h"

namespace snakepit::shm {

// The ring of lifecycle events inside the registry file. One appender (the service thread) and one
// drainer (the recorder's thread). tests/model/ring.pml is its checked model.
class EventRing {
  public:
    explicit EventRing(layout::RegistryView<std::byte> view) : view_(view) {}

    // Service thread. Writes `entry` after the head, stores `control` to `word` (unless null), and
    // publishes. A kill between these three steps loses nothing (see recover()). Fills in
    // `entry.seq`, `time` and `control`.
    void append(layout::EventEntry entry, std::atomic<std::uint64_t>* word = nullptr,
                std::uint64_t control = 0);

    // Service thread, at start: publishes the entry after the head if its slot shows that the
    // reported change was made; erases it otherwise. Slots from `max_slots` on are rejected.
    void recover(std::uint32_t max_slots);

    std::uint64_t head() const { return view_.state().ring_head.load(std::memory_order_acquire); }

    // Service thread. Null: not published yet, or overwritten.
    const layout::EventEntry* entry(std::uint64_t seq) const;

    // Recorder's thread. Copies published entries from `from` on, in order, as many as fit. The
    // first one copied may be later than `from`: the entries between were overwritten and are lost.
    std::size_t read(std::uint64_t from, std::span<layout::EventEntry> out);
    // Recorder's thread: everything up to `seq` is in the database and may be overwritten.
    void set_committed(std::uint64_t seq);
    std::uint64_t committed() const {
        return view_.state().ring_committed.load(std::memory_order_acquire);
    }

  private:
    layout::RegistryView<std::byte> view_;
    std::mutex
        overwrite_;  // held while entries are copied out, and while one is overwritten unrecorded
};

}  // namespace snakepit::shm
