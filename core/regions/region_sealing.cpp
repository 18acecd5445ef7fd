// SPDX-License-Identifier: MIT
#include "regions/region_sealing.h"

namespace snakepit::shm {

using namespace layout;

void RegionSealing::seal(const Caller& caller, const RegionId& id,
                         std::function<void(Result<bool>)> done) {
    const auto slot = [&]() -> Result<std::uint32_t> {
        SHM_ASSIGN(const auto found, policies_.usable(caller, id, Operation::manage));
        SHM_TRY(check_mappable(registry_, found));
        return found;
    }();
    if (!slot) return done(fail(refusals_.refuse(caller, slot.error(), "seal", id)));
    auto body = registry_.body(*slot);
    if (body.sealed == 0 && (body.flags & kSealPending) == 0) {
        body.flags |= kSealPending;
        auto word = registry_.control(*slot);
        registry_.write_other_body(*slot, body, word.generation);
        word.body ^= 1U;
        registry_.commit(*slot, word,
                         event_by(caller, {.kind = EventKind::seal_pending,
                                           .count = registry_.stats(*slot).references}));
        synchronizer_.absorb(*slot);  // no new writers
    }
    lifecycle_.evaluate(*slot, registry_.time());
    const auto answer = [this, id, done] {
        const auto there = registry_.find(id);
        done(there && registry_.body(*there).sealed != 0);
    };
    if (mover_.moving(id)) return mover_.when_settled(id, answer);
    answer();
}

bool RegionSealing::region_idle(std::uint32_t slot) {
    if ((registry_.body(slot).flags & kSealPending) == 0 || !mover_.movable(slot)) return false;
    return mover_.move(slot, allocator_.begin_seal(slot), "sealed");
}

}  // namespace snakepit::shm
