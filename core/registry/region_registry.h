// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
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

// An event, with or without a region; the registry fills in slot and id if it knows them.
struct Event {
    EventKind kind{};
    ErrorCode result{};  // zero: success
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::uint32_t count = 0;  // see SNAKEPIT_SHM_EVENT_KINDS
    std::uint64_t value = 0;
    std::string_view text;
    RegionId id;              // for events about a region without a slot
    std::string_view worker;  // of the process that `text` names
    std::string_view name;    // of a new region; `count` is its size, it may be cut
};

// Region Registry: the only writer of the registry file. The file contains no pointers, locks or
// lists, so that a kill at any instruction leaves it usable; the indexes below are rebuilt when it
// is opened. Service thread only, except ring(), whose drainer is the recorder.
class RegionRegistry {
  public:
    // Opens the instance's registry or creates a new one. A file that cannot be used is renamed,
    // never deleted; note() then reports it.
    static Result<std::unique_ptr<RegionRegistry>> open(const InstancePaths& paths);

    std::uint64_t epoch() const { return view_.header().epoch; }
    bool fresh() const { return fresh_; }              // there was no usable file
    const std::string& note() const { return note_; }  // what was wrong with the file, or empty
    EventRing& ring() { return ring_; }
    const std::string& instance() const { return instance_; }
    layout::RegistryState& state() { return view_.state(); }

    // ---- time
    // The instance's clock, in microseconds: what durations and deadlines are measured by.
    std::int64_t time() const {
        return boot_micros() + view_.state().clock_origin.load(std::memory_order_relaxed);
    }
    // Converts a time of that clock to wall clock time for display.
    Timestamp wall(std::int64_t time) const { return {time + wall_shift()}; }
    std::int64_t wall_shift() const {
        return view_.state().wall_shift.load(std::memory_order_relaxed);
    }
    // Detects whether the wall clock was set since the last call, by this manager or its
    // predecessor, and records an event if it was.
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
    // The body that write_other_body() fills.
    const layout::SlotBody& other_body(std::uint32_t slot) const {
        return view_.slot(slot).body[control(slot).body ^ 1U];
    }
    const layout::SlotStats& stats(std::uint32_t slot) const { return view_.stats(slot); }
    RegionId id(std::uint32_t slot) const { return {fixed(slot).id_micros, fixed(slot).id_random}; }
    const char* metadata(std::uint32_t slot) const { return view_.metadata(slot).text; }
    // A slot in a stash is settled first (on_stashed): the region may exist there.
    std::optional<std::uint32_t> find(const RegionId& id) const;
    // Called with a STASHED slot when somebody asks for an id that may be there.
    std::function<void(std::uint32_t slot)> on_stashed = [](std::uint32_t) {};
    // The region that an earlier attempt of the same request allocated, if it still exists. For
    // regions that belong to no client (owner_serial 0) request numbers are unique on their own.
    std::optional<std::uint32_t> find_request(std::uint64_t owner_serial,
                                              std::uint64_t request_id) const;
    // The slot that has this name of this user: a region, or one that is being allocated
    // (RESERVED). A withdrawn region has none any more, unless it is in quarantine.
    std::optional<std::uint32_t> find_name(std::uint32_t uid, std::string_view name) const;
    // Empty: it has none, or it is damaged.
    std::string_view name(std::uint32_t slot) const {
        return fixed(slot).name_bytes == 0 ? std::string_view()
                                           : layout::name_of(fixed(slot), view_.name(slot));
    }
    // Both parts of the slot have valid checksums.
    bool intact(std::uint32_t slot) const;
    // Its id is valid.
    bool named(std::uint32_t slot) const {
        return fixed(slot).checksum == layout::checksum_of(fixed(slot));
    }
    // Every slot that is not FREE, in slot order.
    std::vector<std::uint32_t> used() const;
    std::size_t used_count() const { return used_count_; }
    const RegionTotals& totals() const { return totals_; }

    // ---- changing; in the order in which a region lives
    // FREE -> RESERVED with the next generation, the oldest free slot first; `fixed` is stored too,
    // with the name, which the caller has checked. no_space if the registry file cannot grow,
    // region_limit_exceeded if it is full.
    Result<std::uint32_t> reserve(layout::SlotFixed fixed, std::string_view metadata,
                                  std::string_view name = {});
    // Fills the body that the control word will select. Only while RESERVED.
    void write_body(std::uint32_t slot, layout::SlotBody body);
    // Fills the other body, for a control word of `generation` that will select it. The region may
    // be LIVE: the other body is not read yet.
    void write_other_body(std::uint32_t slot, layout::SlotBody body, std::uint64_t generation);
    // Stores the control word and nothing else.
    void store(std::uint32_t slot, const layout::Control& next);
    // Stores the control word together with the event that reports it: one step.
    void commit(std::uint32_t slot, const layout::Control& next, const Event& event);
    // ---- a slot in a stash (RESERVED or STASHED)
    // Gives it an id of its own for each generation; generations that a stash has no use for are
    // skipped. After a kill in the middle of a change: the same id again. False: the slot's
    // generations are used up.
    bool name_stashed(std::uint32_t slot);
    // The regions before `generation` ended there. One step with their event.
    void recycle(std::uint32_t slot, std::uint64_t generation, const Event& event);
    // LIVE: one step with the event. `worker` and `session` are its owner's.
    void publish(std::uint32_t slot, std::string_view worker, std::string_view session,
                 const Event& event);
    // -> FREE. No event for a region that was never LIVE.
    void release(std::uint32_t slot, const Event* event);
    void write_stats(std::uint32_t slot, const layout::SlotStats& stats);

    void record(const Event& event);                      // about no slot
    void record(std::uint32_t slot, const Event& event);  // about a slot that does not change
    // A client's public row; its serial stays, or is the one that commit_client() stored.
    void write_client(std::uint32_t index, const layout::ClientRow& row);
    // Commits a client's connect (row.serial) or disconnect (0) together with its event.
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
    // Adds the slot's current state to the totals, or subtracts it (-1); call before and after each
    // change.
    void count(std::uint32_t slot, int times);
    layout::EventEntry entry_for(const Event& event) const;

    static std::uint64_t hash_of(const RegionId& id) { return std::hash<RegionId>{}(id); }
    static std::uint64_t hash_of(std::uint64_t owner_serial, std::uint64_t request_id) {
        return owner_serial * 0x9E3779B97F4A7C15ULL ^ request_id;
    }
    static std::uint64_t hash_of(std::uint32_t uid, std::string_view name) {
        return std::hash<std::string_view>{}(name) ^ uid * 0x9E3779B97F4A7C15ULL;
    }
    void index(std::uint32_t slot);
    void write_fixed(std::uint32_t slot, layout::SlotFixed fixed);

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
    SlotIndex by_name_;  // also regions that have been withdrawn since
};

// Copies text into a fixed field, truncated and always terminated.
template <std::size_t N>
void copy_text(char (&field)[N], std::string_view text) {
    std::memset(field, 0, N);
    text.copy(field, N - 1);
}

}  // namespace snakepit::shm
