// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "regions/encryption_records.h"
#include "regions/slot_scan.h"

namespace snakepit::shm {

// Finds corruption, and keeps damaged regions from being granted. Service thread only.
class IntegrityCheck : RegionPart {
  public:
    IntegrityCheck(ServiceState& state, const EncryptionRecords& encryption)
        : RegionPart(state), encryption_(encryption) {}

    // The region is damaged: recorded, and not granted from now on.
    void damage(std::uint32_t slot, std::string_view what);
    // Before the memory of a region is freed.
    void check_canary_of_ending(std::uint32_t slot);
    // Records what happened to arenas since the last call. Regions whose memory is lost are
    // damaged; the others are whole as long as we have the arena mapped, and wait in rescues().
    void check_damaged_arenas();
    std::vector<std::uint32_t> rescues() { return std::exchange(rescues_, {}); }
    // What brings a durable region back after a reboot: written again if it was removed.
    void keep_description(std::uint32_t slot);
    void slot_freed(std::uint32_t slot) { faults_.erase(slot); }
    std::vector<std::uint32_t> regions_in(std::uint64_t arena) const;
    // What is known to be wrong with damaged regions, by slot.
    const std::unordered_map<std::uint32_t, std::string>& faults() const { return faults_; }

    // ---- the scan of all regions
    void start_scan();
    bool run_slice(std::int64_t at);  // true: there is more
    // As if a scan had found this.
    void set_health(HealthState state) { health_ = std::move(state); }
    const HealthState& health() const { return health_; }  // of the last complete scan

  private:
    // What is wrong with the region, by its description, its segment and its canary.
    std::optional<std::string> fault_of(std::uint32_t slot);
    std::optional<std::string> canary_fault(std::uint32_t slot);

    const EncryptionRecords& encryption_;
    std::unordered_map<std::uint32_t, std::string> faults_;
    std::vector<std::uint32_t> rescues_;
    SlotScan scan_;
    HealthState health_, checking_;
};

}  // namespace snakepit::shm
