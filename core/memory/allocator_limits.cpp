// SPDX-License-Identifier: MIT
// What is allocated, in total and by whom, and the limits on it.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "memory/allocator.h"

namespace snakepit::shm {

using namespace layout;

namespace {

tl::unexpected<Error> over(ErrorCode code, std::string message, std::string_view key) {
    return fail(
        code, std::move(message),
        fmt::format("deallocate or clean up regions, or raise {} in the configuration", key));
}

}  // namespace

Status Allocator::check(std::uint64_t size, const RegionOwner& owner) const {
    if (size == 0)
        return fail(ErrorCode::invalid_size, "a region cannot have 0 bytes",
                    "request at least 1 byte");
    if (limits.max_region_size != 0 && size > limits.max_region_size)
        return fail(ErrorCode::size_exceeds_limit,
                    fmt::format("{} requested; a region may have at most {}", format_size(size),
                                format_size(limits.max_region_size)),
                    "request less, or raise max_region_size in the configuration");
    // Both sides are far below 2^64: a size is at most max_region_size or fits a file.
    if (size > std::uint64_t{1} << 46)
        return fail(ErrorCode::size_exceeds_limit, fmt::format("{} bytes requested", size),
                    "request at most 64 TiB");
    if (limits.max_total_memory != 0 && bytes_used_ + size > limits.max_total_memory)
        return over(ErrorCode::memory_limit_exceeded,
                    fmt::format("{} in use and {} more requested; the limit is {}",
                                format_size(bytes_used_), format_size(size),
                                format_size(limits.max_total_memory)),
                    "max_total_memory");
    if (limits.max_regions != 0 && registry_.used_count() >= limits.max_regions)
        return over(ErrorCode::region_limit_exceeded,
                    fmt::format("{} regions exist already", registry_.used_count()), "max_regions");
    const auto mine = regions_of_.find(owner.serial);
    if (owner.serial != 0 && limits.max_regions_per_process != 0 && mine != regions_of_.end() &&
        mine->second >= limits.max_regions_per_process)
        return over(
            ErrorCode::process_region_limit_exceeded,
            fmt::format("process {} has {} regions already", owner.credentials.pid, mine->second),
            "max_regions_per_process");
    return check_user(size, owner);
}

Status Allocator::check_user(std::uint64_t size, const RegionOwner& owner) const {
    const auto uid = owner.credentials.uid;
    const auto found = usage_of_.find(uid);
    const auto usage = found == usage_of_.end() ? Usage{} : found->second;
    const auto regions = owner.quota.max_regions.value_or(limits.max_regions_per_user);
    if (regions != 0 && usage.regions >= regions)
        return over(ErrorCode::user_limit_exceeded,
                    fmt::format("user {} has {} regions already; the limit is {}", uid,
                                usage.regions, regions),
                    owner.quota.max_regions ? "max_regions of its quota" : "max_regions_per_user");
    const auto memory = owner.quota.max_memory.value_or(limits.max_memory_per_user);
    if (memory != 0 && usage.bytes + size > memory)
        return over(ErrorCode::user_limit_exceeded,
                    fmt::format("user {} has {} and asked for {} more; the limit is {}", uid,
                                format_size(usage.bytes), format_size(size), format_size(memory)),
                    owner.quota.max_memory ? "max_memory of its quota" : "max_memory_per_user");
    return {};
}

Allocator::Headroom Allocator::headroom(const RegionOwner& owner) const {
    Headroom left{UINT64_MAX, UINT64_MAX};
    const auto limit = [](std::uint64_t& room, std::uint64_t most, std::uint64_t used) {
        if (most != 0) room = std::min(room, most > used ? most - used : 0);
    };
    const auto found = usage_of_.find(owner.credentials.uid);
    const auto usage = found == usage_of_.end() ? Usage{} : found->second;
    const auto mine = regions_of_.find(owner.serial);
    limit(left.bytes, limits.max_total_memory, bytes_used_);
    limit(left.bytes, owner.quota.max_memory.value_or(limits.max_memory_per_user), usage.bytes);
    limit(left.regions, limits.max_regions, registry_.used_count());
    limit(left.regions, limits.max_regions_per_process,
          mine == regions_of_.end() ? 0 : mine->second);
    limit(left.regions, owner.quota.max_regions.value_or(limits.max_regions_per_user),
          usage.regions);
    return left;
}

void Allocator::count(const SlotFixed& fixed) {
    bytes_used_ += fixed.size;
    if (fixed.owner_serial != 0) ++regions_of_[fixed.owner_serial];
    auto& usage = usage_of_[fixed.owner_uid];
    ++usage.regions;
    usage.bytes += fixed.size;
}

void Allocator::forget(std::uint32_t slot) {
    const auto& fixed = registry_.fixed(slot);
    bytes_used_ -= fixed.size;
    const auto mine = regions_of_.find(fixed.owner_serial);
    if (mine != regions_of_.end() && --mine->second == 0) regions_of_.erase(mine);
    auto& usage = usage_of_[fixed.owner_uid];
    usage.bytes -= fixed.size;
    if (--usage.regions == 0) usage_of_.erase(fixed.owner_uid);
}

void Allocator::recount() {
    bytes_used_ = bytes_dedicated_ = 0;
    regions_of_.clear();
    usage_of_.clear();
    for (const auto slot : registry_.used()) {
        const auto word = registry_.control(slot);
        if (word.state == SlotState::reserved && word.withdrawn) continue;  // has no memory
        count(registry_.fixed(slot));
        const auto& body = registry_.body(slot);
        if (registry_.control(slot).state != SlotState::reserved && body.arena == 0)
            bytes_dedicated_ += body.actual_size;
    }
}

}  // namespace snakepit::shm
