// SPDX-License-Identifier: MIT
// EventEntry::count of an `allocated` event: the bytes of the region's name, and above them how the
// region was made, so that the history can tell after the region is gone.
#pragma once

#include <cstdint>
#include <optional>

#include "base/region.h"
#include "layout/registry_layout.h"

namespace snakepit::shm::layout {

struct AllocatedAs {
    CleanupPolicy cleanup_policy = CleanupPolicy::automatic;
    OwnerEnd owner_end = OwnerEnd::grace;  // never `automatic`
    SecurityLevel security_level = SecurityLevel::standard;
    AccessMode access_mode = AccessMode::read_write;
    PermissionSet permissions;
    friend bool operator==(const AllocatedAs&, const AllocatedAs&) = default;
};

// Bits of the count.
enum AllocatedBit : int {
    kNameBits = 8,
    kCleanupBit = kNameBits,  // two bits: CleanupPolicy + 1; 0: an entry of an older manager
    kOwnerEndBit = 10,        // two bits
    kLevelBit = 12,           // two bits
    kAccessBit = 14,
    kPermissionBit = 15,  // two bits each: owner, group, others
};

constexpr std::uint32_t name_bytes_of(std::uint32_t count) {
    return count & ((1U << kNameBits) - 1);
}

constexpr std::uint32_t allocated_count(std::uint32_t name_bytes, const AllocatedAs& as) {
    const auto at = [](auto value, int bit) { return static_cast<std::uint32_t>(value) << bit; };
    return name_bytes_of(name_bytes) |
           at(static_cast<std::uint32_t>(as.cleanup_policy) + 1, kCleanupBit) |
           at(as.owner_end, kOwnerEndBit) | at(as.security_level, kLevelBit) |
           at(as.access_mode, kAccessBit) | at(as.permissions.owner, kPermissionBit) |
           at(as.permissions.group, kPermissionBit + 2) |
           at(as.permissions.other, kPermissionBit + 4);
}

// No value: an older manager, which did not tell.
constexpr std::optional<AllocatedAs> allocated_as(std::uint32_t count) {
    const auto two_bits = [count](int bit) { return count >> bit & 3U; };
    const auto cleanup = two_bits(kCleanupBit);
    if (cleanup == 0) return std::nullopt;
    return AllocatedAs{static_cast<CleanupPolicy>(cleanup - 1),
                       static_cast<OwnerEnd>(two_bits(kOwnerEndBit)),
                       static_cast<SecurityLevel>(two_bits(kLevelBit)),
                       static_cast<AccessMode>(count >> kAccessBit & 1U),
                       {static_cast<Permission>(two_bits(kPermissionBit)),
                        static_cast<Permission>(two_bits(kPermissionBit + 2)),
                        static_cast<Permission>(two_bits(kPermissionBit + 4))}};
}

// Of a region that is about to become live.
AllocatedAs made_as(const SlotBody& body);

}  // namespace snakepit::shm::layout
