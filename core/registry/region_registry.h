// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/paths.h"
#include "base/region.h"
#include "base/result.h"
#include "layout/event_kind.h"
#include "layout/registry_layout.h"
#include "platform/mapped_file.h"
#include "registry/event_ring.h"
#include "registry/region_totals.h"
#include "registry/slot_index.h"

namespace snakepit::shm {

// An event about a region or about none; the registry fills in slot and id where it knows them.
struct Event {
    EventKind kind{};
    ErrorCode result{};  // zero: it went well
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::uint32_t count = 0;  // see SNAKEPIT_SHM_EVENT_KINDS
    std::uint64_t value = 0;
    std::string_view text;
    RegionId id;              // for events about a region that has no slot
    std::string_view worker;  // of the process that `text` names
};

// The specification's Region Registry: the one writer of the registry file. It keeps no pointers,
// locks or lists in the file, so that a kill at any instruction leaves something to go on from; the
// indexes below are rebuilt when it is opened.
// Service thread only, except ring(), whose drainer is the recorder.
class RegionRegistry {
  public:
    // Opens the instance's registry or begins a new one. What cannot be read is set aside under
    // another name, never deleted; note() then says so.
    static Result<std::unique_ptr<RegionRegistry>> open(const InstancePaths& paths);

    std::uint64_t epoch() const { return view_.header().epoch; }
    bool fresh() const { return fresh_; }              // nothing was there to adopt
    const std::string& note() const { return note_; }  // what was wrong with the file; or empty
    EventRing& ring() { return ring_; }
    const std::string& instance() const { return instance_; }
    layout::RegistryState& state() { return view_.state(); }

    // ---- time
    // The instance's clock, in microseconds: what durations and deadlines are measured by.
    std::int64_t time() const {
        return boot_micros() + view_.state().clock_origin.load(std::memory_order_relaxed);
    }
    // What people see in place of a time of that clock.
    Timestamp wall(std::int64_t time) const { return {time + wall_shift()}; }
    std::int64_t wall_shift() const {
        return view_.state().wall_shift.load(std::memory_order_relaxed);
    }
    // Finds out whether the wall clock was set since the last call, of this manager's or the one
    // before it, and records that it was.
    void follow_wall_clock();

    // ---- looking
    std::uint32_t frontier() const {
        return view_.state().frontier.load(std::memory_order_relaxed);
    }
    layout::Control control(std::uint32_t slot) const {
        return layout::Control::decode(view_.slot(slot).control.load(std::memory_order_relaxed));
    }
    const layout::SlotFixed& fixed(std::uint32_t slot) const { return view_.slot(slot).fixed; }
    const layout::SlotBody& body(std::uint32_t slot) const {
        return view_.slot(slot).body[control(slot).body];
    }
    // The one that write_other_body fills.
    const layout::SlotBody& other_body(std::uint32_t slot) const {
        return view_.slot(slot).body[control(slot).body ^ 1U];
    }
    const layout::SlotStats& stats(std::uint32_t slot) const { return view_.stats(slot); }
    RegionId id(std::uint32_t slot) const { return {fixed(slot).id_micros, fixed(slot).id_random}; }
    const char* metadata(std::uint32_t slot) const { return view_.metadata(slot).text; }
    std::optional<std::uint32_t> find(const RegionId& id) const;
    // The region an earlier try of the same request made, if it still lives. Requests have numbers
    // of their own where the region belongs to no client (owner_serial 0).
    std::optional<std::uint32_t> find_request(std::uint64_t owner_serial,
                                              std::uint64_t request_id) const;
    // Both parts of the slot have the checksums they were written with.
    bool intact(std::uint32_t slot) const;
    // Its id can be believed.
    bool named(std::uint32_t slot) const {
        return fixed(slot).checksum == layout::checksum_of(fixed(slot));
    }
    // Every slot that holds memory or is about to: anything but FREE, in slot order.
    std::vector<std::uint32_t> used() const;
    std::size_t used_count() const { return used_count_; }
    const RegionTotals& totals() const { return totals_; }

    // ---- changing; in the order in which a region lives
    // FREE -> RESERVED with the next generation, the oldest free slot first; `fixed` is stored too.
    // no_space when the registry file cannot grow, region_limit_exceeded when it is full.
    Result<std::uint32_t> reserve(layout::SlotFixed fixed, std::string_view metadata);
    // Fills the body the control word will name. Only while RESERVED.
    void write_body(std::uint32_t slot, layout::SlotBody body);
    // Fills the other body, for a control word of `generation` that will name it. The region may be
    // LIVE meanwhile: nobody looks there yet.
    void write_other_body(std::uint32_t slot, layout::SlotBody body, std::uint64_t generation);
    // Stores the control word and nothing else.
    void store(std::uint32_t slot, const layout::Control& next);
    // Stores the control word together with the event that reports it: one step.
    void commit(std::uint32_t slot, const layout::Control& next, const Event& event);
    // -> FREE. Without an event for a region that never was LIVE.
    void release(std::uint32_t slot, const Event* event);
    void write_stats(std::uint32_t slot, const layout::SlotStats& stats);

    void record(const Event& event);                      // about no slot
    void record(std::uint32_t slot, const Event& event);  // about a slot that does not change
    // A client's row as people see it; its serial stays, or is what commit_client stored.
    void write_client(std::uint32_t index, const layout::ClientRow& row);
    // A client comes (row.serial) or goes (0), in one step with the event that reports it.
    void commit_client(std::uint32_t index, const layout::ClientRow& row, const Event& event);
    std::uint64_t client_serial(std::uint32_t index) const {
        return view_.client_serial(index).load(std::memory_order_relaxed);
    }
    bool client_connected(std::uint32_t index) const { return view_.client(index).connected != 0; }
    void write_sample(layout::Sample sample);
    // Readers see what is added at once.
    layout::HistogramCells& timed(layout::Timed what) { return view_.timed(what); }
    std::uint64_t next_client_serial();

  private:
    RegionRegistry(MappedFile file, std::string instance);
    Status initialise();
    bool header_valid(const layout::RegistryHeader& header) const;
    Status check_header();
    void repair_state();
    void begin_clock();
    void rebuild_indexes();
    Status grow();
    void set_frontier(std::uint32_t slots);
    void publish_change(std::uint32_t slot);
    // The slot as it is now, in or out (-1) of the totals; around whatever changes it.
    void count(std::uint32_t slot, int times);
    layout::EventEntry entry_for(const Event& event) const;

    static std::uint64_t hash_of(const RegionId& id) { return std::hash<RegionId>{}(id); }
    static std::uint64_t hash_of(std::uint64_t owner_serial, std::uint64_t request_id) {
        return owner_serial * 0x9E3779B97F4A7C15ULL ^ request_id;
    }
    void index(std::uint32_t slot);

    MappedFile file_;
    layout::RegistryView<std::byte> view_;
    EventRing ring_;
    std::string instance_;
    std::string note_;
    bool fresh_ = false;
    std::size_t used_count_ = 0;
    RegionTotals totals_;
    std::deque<std::uint32_t> free_;
    SlotIndex by_id_;
    SlotIndex by_request_;
};

// Copies text into a fixed field, cut to fit, always terminated.
template <std::size_t N>
void copy_text(char (&field)[N], std::string_view text) {
    std::memset(field, 0, N);
    text.copy(field, N - 1);
}

}  // namespace snakepit::shm
