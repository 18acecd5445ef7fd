// SPDX-License-Identifier: MIT
#include "client/inheritance.h"

#include <algorithm>
#include <new>

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// How long a child waits for each answer of the manager.
constexpr int kInheritMs = 2000;

}  // namespace

void Inheritance::leave() {
    ForkGuard::instance().leave(this);
}

// ------------------------------------------------------------------- parent

ForkAware::Heritage Inheritance::before_fork(std::uint64_t fork) {
    if (!connection_.lease().valid() || (connection_.forked() && !connection_.inherited()))
        return Heritage::none;
    auto lock = connection_.try_lock();
    if (!lock) return Heritage::busy;
    if (connection_.inherited()) {
        const std::unique_lock own(mutex_, std::try_to_lock);
        if (!own) return Heritage::busy;
        passed_ = mapper_.hold_for_child(own_);
    } else {
        passed_ = mapper_.hold_for_child();
    }
    if (passed_.empty()) return Heritage::none;
    fork_ = fork;
    held_ = std::move(lock);
    return Heritage::some;
}

void Inheritance::after_fork_in_parent() {
    mapper_.let_inherit(passed_, false);
    held_for_.emplace_back(fork_, std::exchange(passed_, {}));
    held_.unlock();
    held_ = {};
}

void Inheritance::inherited(std::uint64_t fork) {
    for (const auto& [number, regions] : held_for_)
        if (number == fork) mapper_.release_for_child(regions);
    std::erase_if(held_for_, [fork](const auto& one) { return one.first == fork; });
}

// -------------------------------------------------------------------- child

Status Inheritance::claim(const Mapper::Inherited& region) {
    wire::MapT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(region.id));
    call.access = static_cast<std::uint8_t>(region.access);
    wire::RequestT request;
    request.call.Set(std::move(call));
    connection_.set_deadline(Deadline::in(kInheritMs));
    SHM_ASSIGN(const auto answer, connection_.call(std::move(request)));
    const auto* granted = answer.reply.answer.AsGranted();
    if (!granted || granted->slot != region.slot || granted->generation != region.generation)
        return unexpected_answer();
    for (std::uint64_t i = 0; i < region.references; ++i)
        if (connection_.lease().acquire(region.slot, region.generation) !=
            LeasePage::Acquire::acquired)
            return unexpected_answer();
    return {};
}

// The parent's other threads do not exist here: mutexes that they may have held are replaced, and
// what they may have been changing is not used. The cache is consistent, because the parent held
// the client's mutex.
void Inheritance::inherit() {
    held_.release();
    held_for_.clear();
    new (&mutex_) std::mutex;
    own_.clear();
    mapper_.abandon();
    mapper_.let_inherit(passed_, false);
    const auto connected = connection_.inherit(kInheritMs);
    for (const auto& region : std::exchange(passed_, {})) {
        region.entry->holds_allocation = false;  // the parent's
        region.entry->own.store(false, std::memory_order_relaxed);
        if (connected && claim(region))
            own_.push_back(region);
        else
            mapper_.forbid(region);
    }
}

Status Inheritance::unmap(const MappedRegion& mapping) {
    const std::lock_guard held(mutex_);
    const bool known =
        mapping.level == SecurityLevel::standard && connection_.inherited() &&
        std::any_of(own_.begin(), own_.end(), [&](const Mapper::Inherited& region) {
            return region.slot == mapping.slot && region.generation == mapping.generation;
        });
    if (!known) return fail(forked_error());
    if (connection_.lease().release(mapping.slot, mapping.generation, !mapping.audited) ==
        LeasePage::Release::not_held)
        return fail(ErrorCode::not_held, "this reference was already released",
                    "unmap each mapping once");
    return {};
}

void Inheritance::end() {
    const std::lock_guard held(mutex_);
    if (!connection_.inherited()) return;
    connection_.end_inheritance();
    mapper_.drop(std::exchange(own_, {}));
}

}  // namespace snakepit::shm
