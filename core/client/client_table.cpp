// SPDX-License-Identifier: MIT
#include "client/client_table.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "client/connection.h"
#include "client/fork_guard.h"
#include "platform/process_barrier.h"

namespace snakepit::shm {

constinit std::array<std::atomic<ClientTable::Chunk*>, ClientTable::kPlaces / ClientTable::kChunk>
    ClientTable::chunks_{};
constinit std::atomic<CallRecord*> ClientTable::records_{nullptr};
constinit std::atomic<bool> ClientTable::asymmetric_{false};
thread_local constinit CallRecord* ClientTable::record_ = nullptr;
thread_local constinit bool ClientTable::thread_ends_ = false;

// Returns the record when its thread ends, for the next new thread.
struct RecordOwner {
    ~RecordOwner() {
        if (ClientTable::record_) ClientTable::record_->used.store(false);
        ClientTable::record_ = nullptr;
        ClientTable::thread_ends_ = true;
    }
};

namespace {

// Free entries that were used before. Guarded by ForkGuard's gate, so that no child finds it locked
// or half changed. Never destroyed: threads may use it while static objects are destroyed.
struct FreePlaces {
    std::vector<std::uintptr_t> places;
    std::uintptr_t next = 0;  // never used from here on
};
FreePlaces& free_places() {
    static auto* places = new FreePlaces;
    return *places;
}

std::unique_lock<std::mutex> gate() {
    auto& guard = ForkGuard::instance();
    guard.settle();
    return guard.no_fork();
}

}  // namespace

// ------------------------------------------------------------------ threads

CallRecord* ClientTable::make_record() {
    if (thread_ends_) return nullptr;
    static thread_local const RecordOwner owner;
    for (auto* one = records_.load(std::memory_order_acquire); one; one = one->next) {
        bool free = false;
        if (one->used.compare_exchange_strong(free, true)) return record_ = one;
    }
    auto* const made = new CallRecord;
    made->next = records_.load(std::memory_order_relaxed);
    while (!records_.compare_exchange_weak(made->next, made, std::memory_order_release)) {
    }
    return record_ = made;
}

void ClientTable::wait_until_left(const ClientPlace& place, std::uintptr_t handle) {
    const auto busy = [&] {
        if (place.nested.load(std::memory_order_acquire) != 0) return true;
        for (const auto* one = records_.load(std::memory_order_acquire); one; one = one->next)
            if (one->inside.load(std::memory_order_acquire) == handle) return true;
        return false;
    };
    for (auto pause = std::chrono::microseconds(20); busy();
         pause = std::min(pause * 2, std::chrono::microseconds(1000)))
        std::this_thread::sleep_for(pause);
}

// ------------------------------------------------------------------ clients

Result<std::uintptr_t> ClientTable::take_place() {
    const auto held = gate();
    auto& free = free_places();
    if (!free.places.empty()) {
        const auto index = free.places.back();
        free.places.pop_back();
        return index;
    }
    if (free.next == kPlaces)
        return fail(ErrorCode::client_limit_exceeded, "this process has too many clients",
                    "disconnect those that are not needed");
    auto& chunk = chunks_[free.next / kChunk];
    if (!chunk.load(std::memory_order_relaxed)) chunk.store(new Chunk, std::memory_order_release);
    return free.next++;
}

void ClientTable::free_place(std::uintptr_t index) {
    const auto held = gate();
    free_places().places.push_back(index);
}

Result<snakepit_shm_client*> ClientTable::add(std::unique_ptr<ManagerClient> client) {
    // Called before any handle is used; a forked child must check again.
    asymmetric_.store(prepare_process_barrier(), std::memory_order_seq_cst);
    SHM_ASSIGN(const auto index, take_place());
    const auto handle =
        (index | (chunks_[index / kChunk].load()->at(index % kChunk).uses + 1) << kPlaceBits) << 1;
    auto& place = *ClientTable::place(handle);
    ++place.uses;
    place.client = std::move(client);
    place.state.store(handle, std::memory_order_release);
    return reinterpret_cast<snakepit_shm_client*>(handle);
}

void ClientTable::close(const snakepit_shm_client* client) {
    const ClientCall call(client, true);
    if (!call) return;
    auto handle = reinterpret_cast<std::uintptr_t>(client);
    place(handle)->state.compare_exchange_strong(handle, handle | kClosed);
    call->close();
}

void ClientTable::remove(const snakepit_shm_client* client) {
    const auto handle = reinterpret_cast<std::uintptr_t>(client);
    auto* const place = ClientTable::place(handle);
    if (!place) return;
    auto open = handle, closed = handle | kClosed;
    if (!place->state.compare_exchange_strong(open, 0) &&
        !place->state.compare_exchange_strong(closed, 0))
        return;
    place->client->close();
    // In a forked child: calls of other threads at the time of the fork never finish.
    if (place->client->forked()) return place->client->end_inheritance();
    // This thread is in the middle of a call, so it cannot wait for it.
    if (record() && record()->inside.load(std::memory_order_relaxed) == handle) return;
    if (barrier_is_made_by_others()) process_barrier();
    wait_until_left(*place, handle);
    place->client.reset();
    if (place->uses < kMostUses) free_place((handle >> 1) & (kPlaces - 1));
}

Error ClientCall::error() const {
    if (place_) return closed_error();
    return make_error(ErrorCode::invalid_argument, "the handle is not an open client",
                      "use the handle that connecting returned");
}

}  // namespace snakepit::shm
