// SPDX-License-Identifier: MIT
#include "lease.h"

#include <pthread.h>

#include <system_error>
#include <thread>
#include <utility>

namespace snakepit::python {

std::mutex& list_mutex() {
    static auto* const mutex = [] {
        static std::mutex made;
        ::pthread_atfork([] { list_mutex().lock(); }, [] { list_mutex().unlock(); },
                         [] { list_mutex().unlock(); });
        return &made;
    }();
    return *mutex;
}

Lease::Lease(std::shared_ptr<Session> of, const snakepit_shm_mapping& mapped, bool may_write)
    : session(std::move(of)), mapping(mapped), writable(may_write) {
    const std::lock_guard held(list_mutex());
    next = session->first_;
    if (next) next->previous = this;
    session->first_ = this;
}

bool Lease::leave() {
    if (holders.fetch_sub(1, std::memory_order_acq_rel) > 1) return false;
    const std::lock_guard held(list_mutex());
    (previous ? previous->next : session->first_) = next;
    if (next) next->previous = previous;
    return true;
}

snakepit_shm_status Lease::end() {
    const auto status = snakepit_shm_unmap(session->handle(), &mapping);
    delete this;
    return status;
}

// Writing the changes of an encrypted region may wait for a lock whose holder needs the GIL that
// the calling thread may have.
void Lease::release() {
    if (!leave()) return;
    if (snakepit_shm_unmap_blocks(&mapping)) {
        try {
            std::thread([this] { (void)end(); }).detach();
            return;
        } catch (const std::system_error&) {  // no thread to be had: then here
        }
    }
    (void)end();
}

}  // namespace snakepit::python
