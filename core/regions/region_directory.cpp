// SPDX-License-Identifier: MIT
#include "regions/region_directory.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/filter.h"
#include "base/region_name.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kHandedArenas = 4096;  // remembered of one client

// Slots checked for one page of a list before an answer goes out, listed or not.
constexpr std::uint32_t kListScan = 20'000;
// Holders named in one answer; the count is of all.
constexpr std::size_t kNamedHolders = 256;

}  // namespace

Result<std::uint32_t> RegionDirectory::openable(const Caller& caller, const RegionId& id,
                                                AccessMode access) {
    const bool writes = access == AccessMode::read_write;
    // Its policy may be what is damaged: whoever may know of the region gets this error first.
    if (const auto damaged = find_region(registry_, id);
        damaged && registry_.control(*damaged).damaged &&
        policies_.may(caller, Operation::look, *damaged))
        return fail(check_mappable(registry_, *damaged).error());
    SHM_ASSIGN(const auto slot,
               policies_.usable(caller, id, writes ? Operation::write : Operation::read));
    SHM_TRY(check_mappable(registry_, slot));
    if (!writes) return slot;
    SHM_TRY(check_writable(registry_, slot));
    const bool owner = caller.client &&
                       grants_.record(*caller.client).serial == registry_.fixed(slot).owner_serial;
    if (static_cast<AccessMode>(registry_.body(slot).access_mode) == AccessMode::read_only &&
        !owner)
        return fail(ErrorCode::read_only, fmt::format("{} may be mapped read-only", id.str()),
                    "map it without asking to write");
    return slot;
}

Result<Grant> RegionDirectory::map(const Caller& caller, const RegionId& id, AccessMode access,
                                   bool handle) {
    const Stopwatch watch;
    Result<Grant> granted = [&]() -> Result<Grant> {
        if (!caller.client)
            return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                        "connect with one to map regions");
        if (const auto there = registry_.find(id); there && registry_.body(*there).arena != 0) {
            allocator_.pool.check(registry_.body(*there).arena);
            integrity_.check_damaged_arenas();
        }
        SHM_ASSIGN(const auto slot, openable(caller, id, access));
        SHM_TRY(audit_.may_begin(slot));
        const auto word = registry_.control(slot);
        const bool first = !counter_.granted(*caller.client, slot, word.generation, access);
        SHM_ASSIGN(auto made, issue(caller, slot, access, handle));
        if (first && !made.audited)
            registry_.record(
                slot, event_by(caller, {.kind = EventKind::mapped,
                                        .count = access == AccessMode::read_write ? 1U : 0U}));
        lifecycle_.refresh(slot);
        return made;
    }();
    if (!granted) return fail(refusals_.refuse(caller, std::move(granted).error(), "map", id));
    watch.stop(registry_.timed(Timed::first_map));
    return granted;
}

Result<Grant> RegionDirectory::issue(const Caller& caller, std::uint32_t slot, AccessMode access,
                                     bool handle) {
    const auto word = registry_.control(slot);
    const auto place = allocator_.locate(slot);
    const bool audited = audit_.applies(slot);
    Grant grant{slot,
                word.generation,
                registry_.id(slot),
                registry_.fixed(slot).size,
                place.arena,
                place.offset,
                place.segment_size,
                access,
                audited || static_cast<CleanupPolicy>(registry_.body(slot).cleanup_policy) ==
                               CleanupPolicy::reference_counted,
                audited,
                {},
                static_cast<SecurityLevel>(registry_.body(slot).security_level)};
    if (!caller.client) return grant;
    auto& handed = handed_[caller.serial];
    if (handed.size() > kHandedArenas) handed.clear();  // the cost is a handle too many
    const bool known = place.arena != 0 && handed.contains({place.arena, access});
    if (handle || !known) {
        SHM_ASSIGN(grant.handle, allocator_.open(slot, access));
    }
    SHM_TRY(counter_.grant(*caller.client, slot, word.generation, access));
    if (place.arena != 0) handed.insert({place.arena, access});
    lifecycle_.touched(slot);
    if (audited) {
        audit_.begun(slot, caller.credentials, access);
        lifecycle_.schedule(slot, registry_.time() + AccessAudit::kIdleMicros);
    }
    return grant;
}

RegionInfo RegionDirectory::describe(std::uint32_t slot) {
    const auto word = registry_.control(slot);
    lifecycle_.refresh(slot);
    auto info = shm::describe(
        word, registry_.fixed(slot), registry_.body(slot), registry_.stats(slot),
        registry_.body(slot).metadata_bytes > 0 && !word.damaged ? registry_.metadata(slot)
                                                                 : nullptr,
        registry_.name(slot), registry_.instance(), registry_.wall_shift());
    for (const auto& holder : clients_.holders_of(slot)) {
        if (info.references.size() == kNamedHolders) break;
        const auto& record = clients_.record(holder.client);
        info.references.push_back({record.pid, record.process, holder.references,
                                   registry_.client_connected(holder.client), holder.access,
                                   record.worker});
    }
    return info;
}

Result<RegionInfo> RegionDirectory::info(const Caller& caller, const RegionId& id) {
    const auto slot = policies_.usable(caller, id, Operation::look);
    if (!slot) return fail(refusals_.refuse(caller, slot.error(), "info", id));
    return describe(*slot);
}

Result<RegionId> RegionDirectory::resolve(const Caller& caller, const std::string& word) {
    const auto name = RegionName::parse(word);
    if (!name) return fail(refusals_.refuse(caller, name.error(), "resolve", {}));
    const auto uid = name->user.empty() ? std::optional(caller.credentials.uid)
                                        : state_.security.names().user(name->user);
    const auto slot = uid ? registry_.find_name(*uid, name->name) : std::nullopt;
    if (slot && registry_.control(*slot).occupied()) {
        const auto may = policies_.check(caller, Operation::look, *slot);
        if (may) return registry_.id(*slot);
        (void)refusals_.refuse(caller, may.error(), "resolve", registry_.id(*slot));
    }
    const auto message =
        name->user.empty()
            ? fmt::format("user {} has no region with the name '{}'", *uid, name->name)
            : fmt::format("there is no region '{}' that you may see", name->str());
    return fail(refusals_.refuse(
        caller,
        make_error(ErrorCode::region_not_found, message,
                   "'snakepit-shm list' shows the regions that exist; another user's region is "
                   "USER/NAME"),
        "resolve", {}));
}

Result<std::vector<RegionInfo>> RegionDirectory::list(const Caller& caller, std::string_view text,
                                                      std::uint32_t& slot, std::size_t bytes) {
    auto filter = RegionFilter::parse(text);
    if (!filter) return fail(refusals_.refuse(caller, std::move(filter).error(), "list", {}));
    std::vector<RegionInfo> out;
    std::size_t used = 0;
    const auto at = now();
    const auto end = std::min<std::uint64_t>(registry_.frontier(), std::uint64_t{slot} + kListScan);
    for (; slot < end && used < bytes; ++slot) {
        if (!registry_.control(slot).occupied()) continue;
        if (!policies_.may(caller, Operation::look, slot)) continue;
        auto info = describe(slot);
        if (!filter->matches(info, at)) continue;
        used += 512 + info.metadata.size() + info.references.size() * 64;
        out.push_back(std::move(info));
    }
    return out;
}

}  // namespace snakepit::shm
