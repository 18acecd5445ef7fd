// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "regions/access_audit.h"
#include "regions/idle_handler.h"
#include "regions/integrity_check.h"
#include "regions/reference_recorder.h"

namespace snakepit::shm {

// Decides when a region ends, and frees its memory then. Service thread only; `at` is the
// instance's clock (RegionRegistry::time).
class RegionLifecycle : RegionPart {
  public:
    RegionLifecycle(ServiceState& state, ClientRegistry& clients, IntegrityCheck& integrity,
                    AccessAudit& audit);
    // Once, before the first region is evaluated. They are asked in this order.
    void set_idle_handlers(std::vector<IdleHandler*> handlers) { handlers_ = std::move(handlers); }

    // ---- counts
    void refresh(std::uint32_t slot, std::uint64_t takes = 0,
                 std::optional<std::int64_t> at = std::nullopt) {
        references_.refresh(slot, takes, at);
    }
    void record_pending() { references_.record_pending(); }
    // Counts what clients took and gave back since the last time, and evaluates those regions.
    void sweep(std::int64_t at);

    // ---- evaluation
    // Ends the region, moves it, or schedules the next evaluation.
    void evaluate(std::uint32_t slot, std::int64_t at);
    // A reference went that may have been the last: the message is not trusted, it is counted.
    void released(std::uint32_t slot, std::uint64_t generation);
    void schedule(std::uint32_t slot, std::int64_t at);
    // After a move: what was scheduled before it is forgotten.
    void unschedule(std::uint32_t slot) { runtime(slot).next = 0; }
    bool run_deadlines(std::int64_t at);  // true: there are more
    // Evaluates the region, due or not; tries again to free a FREEING one.
    void check_slot(std::uint32_t slot, std::int64_t at);
    void owner_ended(std::uint32_t slot, std::int64_t at);
    IdleRegion idle_facts(std::uint32_t slot) const;
    std::size_t deadlines() const { return deadlines_.size(); }

    // ---- ends
    // One step with the event: nobody finds or maps the region any more, and its name is free.
    void withdraw(std::uint32_t slot, Event by);
    // RETIRING, and no grant is left. False: a client holds it; it is back where it was.
    bool withdraw_grants(std::uint32_t slot);
    // False: a client holds it; it is back where it was.
    Result<bool> retire(std::uint32_t slot, const std::string& reason, const Credentials& by);
    Result<bool> enter_quarantine(std::uint32_t slot, const std::string& reason,
                                  const Credentials& by, std::int64_t at);
    // Of a slot that is RETIRING or FREEING: the memory, overwritten first where the configuration
    // asks for it, and then the slot; perhaps later (wiping()).
    Status free(std::uint32_t slot, const std::string& reason, const Credentials& by);
    bool wiping(std::uint32_t slot) const { return wiping_.contains(slot); }
    // Regions whose memory could not be freed, each with what to do about it, by slot.
    const std::unordered_map<std::uint32_t, Error>& stuck() const { return stuck_; }

    // ---- whether a slot was ever granted to a client; if not, its memory is still all zero
    void made(std::uint32_t slot, bool untouched) { runtime(slot) = {0, untouched}; }
    void touched(std::uint32_t slot) { runtime(slot).untouched = false; }
    bool untouched(std::uint32_t slot) const {
        return slot < runtime_.size() && runtime_[slot].untouched;
    }

  private:
    struct Deadline {
        std::int64_t at;
        std::uint32_t slot;
        std::uint64_t generation;
        friend bool operator>(const Deadline& a, const Deadline& b) { return a.at > b.at; }
    };
    struct SlotRuntime {        // worthless after a restart
        std::int64_t next = 0;  // its earliest deadline
        bool untouched = false;
    };
    SlotRuntime& runtime(std::uint32_t slot);
    void evaluate_quarantined(std::uint32_t slot, std::int64_t at);
    void drop_stale_deadlines();
    Status wipe(std::uint32_t slot, const std::string& reason, const Credentials& by);
    Status free_slot(std::uint32_t slot, const std::string& reason, const Credentials& by,
                     const Stopwatch& watch);
    tl::unexpected<Error> keep_stuck(std::uint32_t slot, Error error);

    ClientRegistry& clients_;
    IntegrityCheck& integrity_;
    AccessAudit& audit_;
    ReferenceRecorder references_;
    std::vector<IdleHandler*> handlers_;
    std::vector<SlotRuntime> runtime_;
    std::vector<Deadline> deadlines_;                             // a heap, the earliest first
    std::unordered_map<std::uint32_t, std::int64_t> owner_gone_;  // by slot: since when
    std::unordered_map<std::uint32_t, Error> stuck_;
    std::unordered_set<std::uint32_t> wiping_;  // slots overwritten in the background
};

}  // namespace snakepit::shm
