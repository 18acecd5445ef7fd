// SPDX-License-Identifier: MIT
#include "lease.h"

#include <utility>

namespace snakepit::python {

Lease::Lease(std::shared_ptr<Session> of, const snakepit_shm_mapping& mapped, bool may_write)
    : session(std::move(of)), mapping(mapped), writable(may_write) {
    const std::lock_guard held(session->mutex_);
    next = session->first_;
    if (next) next->previous = this;
    session->first_ = this;
}

snakepit_shm_status Lease::drop() {
    if (holders.fetch_sub(1, std::memory_order_acq_rel) > 1) return SNAKEPIT_SHM_OK;
    {
        const std::lock_guard held(session->mutex_);
        (previous ? previous->next : session->first_) = next;
        if (next) next->previous = previous;
    }
    const auto status = snakepit_shm_unmap(session->handle(), &mapping);
    delete this;
    return status;
}

}  // namespace snakepit::python
