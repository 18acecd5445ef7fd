// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/ids.h"

namespace snakepit::shm {

// The locks that the manager has delegated to this client (layout/delegated_lock.h): where they are
// in the lease page, by region. A delegation that was recalled stays until another takes its place;
// the lease page says that it has ended. find() takes no lock; the rest is called by one thread at
// a time.
class Delegations {
  public:
    struct Known {
        std::uint64_t base = 0;
        std::uint32_t slot = 0;
        bool writable = false;
    };
    // False: not known, or it changes at this moment. Fills `known` in member by member: a copy of
    // the whole waits for the processor's store buffer, which costs as much as the lock.
    bool find(const RegionId& id, Known& known) const {
        const auto* table = table_.load(std::memory_order_acquire);
        if (!table) return false;
        for (const auto& entry : (*table)[set_of(id)])
            if (read(entry, id, known)) return true;
        return false;
    }
    // Returns what it replaces: an older one of another region.
    struct Replaced {
        RegionId id;
        Known known;
    };
    std::optional<Replaced> remember(const RegionId& id, const Known& known);
    // The first region whose delegation `fits`, which also gets the token that was taken over.
    template <typename Fits>
    std::optional<RegionId> first(Fits fits) const {
        if (!owned_) return std::nullopt;
        for (const auto& set : *owned_)
            for (const auto& entry : set)
                if (const auto one = content(entry);
                    one.id.valid() && fits(one.known, entry.taken_over))
                    return one.id;
        return std::nullopt;
    }
    // True once for each hold: its levels at the recall become those of an ordinary lock.
    bool take_over(const RegionId& id, std::uint64_t token);

  private:
    static constexpr std::size_t kSets = 256, kWays = 4;
    struct Entry {
        std::atomic<std::uint32_t> version{0};  // odd while it changes
        std::atomic<std::uint32_t> slot{0};
        std::atomic<std::uint64_t> micros{0}, random{0}, base{0};
        std::atomic<bool> writable{false};
        std::uint64_t taken_over = 0;  // a token; only for those that change entries
    };
    using Set = std::array<Entry, kWays>;
    using Table = std::array<Set, kSets>;

    static std::size_t set_of(const RegionId& id) { return std::hash<RegionId>{}(id) % kSets; }
    static bool read(const Entry& entry, const RegionId& id, Known& known) {
        const auto version = entry.version.load(std::memory_order_acquire);
        // Acquire: the version is read again after all of them.
        if (entry.random.load(std::memory_order_acquire) != id.random ||
            entry.micros.load(std::memory_order_acquire) != id.micros)
            return false;
        known.base = entry.base.load(std::memory_order_acquire);
        known.slot = entry.slot.load(std::memory_order_acquire);
        known.writable = entry.writable.load(std::memory_order_acquire);
        return entry.version.load(std::memory_order_relaxed) == version && version % 2 == 0;
    }
    static Replaced content(const Entry& entry) {
        constexpr auto kRelaxed = std::memory_order_relaxed;  // by the one who changes entries
        return {
            {entry.micros.load(kRelaxed), entry.random.load(kRelaxed)},
            {entry.base.load(kRelaxed), entry.slot.load(kRelaxed), entry.writable.load(kRelaxed)}};
    }
    Entry* entry_of(const RegionId& id) const;

    std::atomic<Table*> table_{nullptr};
    std::unique_ptr<Table> owned_;  // made for the first delegation
    std::size_t next_ = 0;          // the way that is given up next
};

}  // namespace snakepit::shm
