// SPDX-License-Identifier: MIT
// Connections and references, without Python: consumers of DLPack and Arrow give leases back on any
// thread, without the GIL, and after the interpreter has ended.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "snakepit/shm/snakepit_shm.h"

struct _object;  // PyObject

namespace snakepit::python {

struct Lease;

// Guards the lists of leases, of all sessions: so that fork() can wait for it, and a child does not
// inherit it locked. No Python and no call of the library runs with it.
std::mutex& list_mutex();

// A connection to the manager, kept by its Client, by running calls and by every Lease. Disconnects
// when nobody uses it any more.
class Session {
  public:
    explicit Session(snakepit_shm_client* handle) : handle_(handle) {}
    ~Session() { snakepit_shm_disconnect(handle_); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    snakepit_shm_client* handle() const { return handle_; }
    bool closing() const { return closing_.load(); }
    // No new lease or view is made from now on.
    void begin_to_close() { closing_.store(true); }

    // Calls `look` for each lease, until it returns false. `look` must not create or end leases.
    template <typename Look>
    void each(Look look) const;

  private:
    friend struct Lease;
    snakepit_shm_client* handle_;
    std::atomic<bool> closing_{false};
    Lease* first_ = nullptr;
};

// One reference to a region, mapped. Released when its last holder drops it: the Region, the View
// behind its buffers, and each capsule of DLPack and Arrow.
struct Lease {
    Lease(std::shared_ptr<Session> of, const snakepit_shm_mapping& mapped, bool may_write);
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    void hold() { holders.fetch_add(1, std::memory_order_relaxed); }
    // Drops a holder. True for the last one, which must then call end().
    bool leave();
    // Unmaps: for an encrypted region that may block.
    snakepit_shm_status end();
    // Drops a holder, on any thread, with or without the GIL: what may block gets a thread of its
    // own.
    void release();

    std::shared_ptr<Session> session;
    snakepit_shm_mapping mapping;
    const bool writable;
    std::atomic<long> holders{1};
    _object* region = nullptr;  // borrowed; only with the GIL
    Lease* previous = nullptr;
    Lease* next = nullptr;

  private:
    ~Lease() = default;
};

template <typename Look>
void Session::each(Look look) const {
    const std::lock_guard held(list_mutex());
    for (auto* lease = first_; lease && look(*lease); lease = lease->next) {
    }
}

}  // namespace snakepit::python
