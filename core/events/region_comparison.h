// SPDX-License-Identifier: MIT
// What differs between the regions of two captures: of two moments, of two bundles, or of either
// and now.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/region_history.h"

namespace snakepit::shm {

enum class RegionDifferenceKind : std::uint8_t {
    gone,      // existed before
    added,     // exists after
    replaced,  // another region of the same user has its name now
    changed,
};
std::string_view to_string(RegionDifferenceKind kind);

// Of a region that exists on both sides, or of one that replaced another.
enum RegionAspect : std::uint32_t {
    kAspectSize = 1,
    kAspectOwner = 2,     // process or user
    kAspectState = 4,     // also sealed, and inconsistent
    kAspectPolicy = 8,    // also permissions, cleanup policy and end with the owner
    kAspectHolders = 16,  // how many references, and whose
};
inline constexpr std::array kRegionAspects{kAspectSize, kAspectOwner, kAspectState, kAspectPolicy,
                                           kAspectHolders};
std::string_view to_string(RegionAspect aspect);

struct RegionDifference {
    RegionDifferenceKind kind{};
    std::optional<RegionRow> before, after;
    std::uint32_t aspects = 0;  // that differ
    std::uint32_t unknown = 0;  // aspects that one of the captures does not tell
    // Of the region after it, or of the one that is gone.
    const RegionInfo& region() const { return after ? after->info : before->info; }
    std::int64_t growth() const;  // bytes
};
// "state: live → orphan; holders: 2 references (python3 (7)) → 0 references"; what is not known is
// said. Empty for regions that are added or gone.
std::string describe(const RegionDifference& one);

// All regions of a program, a worker or a user.
enum class ComparedBy : std::uint8_t { program, worker, user };
inline constexpr std::array kComparedBy{ComparedBy::program, ComparedBy::worker, ComparedBy::user};
std::string_view to_string(ComparedBy by);

struct ComparedTotal {
    std::string name;  // of a user: the number
    std::uint64_t regions_before = 0, regions_after = 0;
    std::uint64_t bytes_before = 0, bytes_after = 0;
    std::uint64_t gone = 0, added = 0;  // regions; one that was replaced is both
    std::int64_t growth() const;        // bytes
};

struct RegionComparison {
    // By kind, then the largest first.
    std::vector<RegionDifference> differences;
    std::uint64_t same = 0;  // regions without a difference
    std::uint64_t count(RegionDifferenceKind kind) const;
    ComparedTotal total;
    // The total of each name, what grew most first; of owners that are known.
    std::vector<ComparedTotal> by(ComparedBy what) const;

    std::vector<RegionRow> before, after;  // what was compared
};

// What is compared: regions that exist, and those of a past moment. `present`: the regions that
// exist now, if that is known; see as_row().
std::vector<RegionRow> rows_of(const std::vector<RegionInfo>& regions);
std::vector<RegionRow> rows_of(const PastState& state, const std::vector<RegionInfo>* present);

// What does not change while a region exists, one side may tell the other.
RegionComparison compare_regions(std::vector<RegionRow> before, std::vector<RegionRow> after);

}  // namespace snakepit::shm
