// SPDX-License-Identifier: MIT
#include "regions/integrity_check.h"

#include <unistd.h>

#include <fmt/format.h>

#include "memory/canary.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Regions checked in one slice: each costs up to four system calls.
constexpr std::size_t kComparedPerSlice = 500;

bool checked(const Control& word) {
    return word.state == SlotState::live || word.state == SlotState::quarantined ||
           word.state == SlotState::revoked;
}

}  // namespace

std::optional<std::string> IntegrityCheck::fault_of(std::uint32_t slot) {
    if (!registry_.intact(slot)) return "the registry's description of it fails its checksum";
    const auto& body = registry_.body(slot);
    if (body.arena != 0) {
        if (auto lost = allocator_.pool.loss_of(body)) return lost;
        return canary_fault(slot);
    }
    const auto segment = backend_.inspect_segment(allocator_.segment_name_of(slot));
    if (!segment) return allocator_.loss_of(slot);
    if (segment->identity != FileIdentity{body.device, body.inode} || segment->uid != ::geteuid())
        return "its segment was replaced by another process";
    if (segment->size != body.actual_size) return "its segment was truncated by another process";
    if (auto fault = encryption_.fault_of(slot)) return fault;
    return canary_fault(slot);
}

std::optional<std::string> IntegrityCheck::canary_fault(std::uint32_t slot) {
    const auto& body = registry_.body(slot);
    if ((body.flags & kHasCanary) == 0) return std::nullopt;
    // For an arena our own descriptor, which works also when its name does not.
    const auto segment =
        allocator_.open(slot, body.arena != 0 ? AccessMode::read_write : AccessMode::read_only);
    if (!segment) return segment.error().message;
    const auto canary =
        check_canary(*segment, body.offset, registry_.fixed(slot).size, body.actual_size);
    return canary ? std::nullopt : std::optional(canary.error().message);
}

void IntegrityCheck::damage(std::uint32_t slot, std::string_view what) {
    faults_.insert_or_assign(slot, std::string(what));
    auto word = registry_.control(slot);
    if (word.damaged) return;
    word.damaged = true;
    if (!word.occupied()) word.state = SlotState::live;
    (void)errors_.handle(
        make_error(ErrorCode::corruption_detected, std::string(what),
                   "save what you need of it, then deallocate it and allocate a new one"),
        {"health check", registry_.id(slot), {}, {}});
    registry_.commit(
        slot, word,
        {.kind = EventKind::damaged, .result = ErrorCode::corruption_detected, .text = what});
    // Idle grants give no new references either; who holds it keeps what it sees.
    counter_.close(slot, word.generation);
    synchronizer_.absorb(slot);
}

void IntegrityCheck::check_canary_of_ending(std::uint32_t slot) {
    if (registry_.control(slot).damaged) return;
    const auto fault = canary_fault(slot);
    if (!fault) return;
    const auto what = fmt::format("found when it was freed: {}", *fault);
    (void)errors_.handle(make_error(ErrorCode::corruption_detected, what,
                                    "look for a program that writes past the end of its region"),
                         {"free", registry_.id(slot), {}, {}});
    registry_.record(
        slot, {.kind = EventKind::damaged, .result = ErrorCode::corruption_detected, .text = what});
}

std::vector<std::uint32_t> IntegrityCheck::regions_in(std::uint64_t arena) const {
    std::vector<std::uint32_t> out;
    for (const auto slot : registry_.used())
        if (registry_.body(slot).arena == arena && registry_.control(slot).occupied())
            out.push_back(slot);
    return out;
}

void IntegrityCheck::check_damaged_arenas() {
    for (const auto& arena : allocator_.pool.newly_damaged()) {
        if (!arena->fault) continue;
        const auto inside = regions_in(arena->id());
        std::uint64_t lost = 0;
        for (const auto slot : inside)
            if (allocator_.pool.loss_of(registry_.body(slot))) lost += registry_.fixed(slot).size;
        registry_.record({.kind = EventKind::arena_damaged,
                          .result = ErrorCode::corruption_detected,
                          .uid = arena->tenant(),
                          .count = static_cast<std::uint32_t>(inside.size()),
                          .value = lost,
                          .text = fmt::format("{}: {}", arena->fault->what, arena->name())});
        for (const auto slot : inside) {
            // One that is moving is RETIRING: the RegionMover finds out what became of it.
            if (registry_.control(slot).state == SlotState::retiring) continue;
            if (const auto loss = allocator_.pool.loss_of(registry_.body(slot)))
                damage(slot, *loss);
            else
                rescues_.push_back(slot);
        }
    }
}

void IntegrityCheck::keep_description(std::uint32_t slot) {
    const auto& body = registry_.body(slot);
    if ((body.flags & kDurable) == 0 || registry_.control(slot).withdrawn ||
        allocator_.durable.has(registry_.id(slot)))
        return;
    (void)allocator_.durable.save(registry_.fixed(slot), body, registry_.metadata(slot),
                                  registry_.name(slot));
}

void IntegrityCheck::start_scan() {
    if (scan_.next) return;
    allocator_.pool.check_all();
    check_damaged_arenas();
    scan_.start();
    checking_ = {};
}

bool IntegrityCheck::run_slice(std::int64_t at) {
    if (!scan_.next) return false;
    const bool more = scan_.run_slice(registry_, kComparedPerSlice, [&](std::uint32_t slot) {
        if (!checked(registry_.control(slot))) return;
        ++checking_.regions;
        if (const auto fault = fault_of(slot)) damage(slot, *fault);
        keep_description(slot);
        if (registry_.control(slot).damaged) checking_.damaged.push_back(slot);
    });
    if (more) return true;
    health_ = std::move(checking_);
    health_.completed_at = at;
    return false;
}

}  // namespace snakepit::shm
