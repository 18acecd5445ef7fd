// SPDX-License-Identifier: MIT
// The clients of the C interface. A handle is a number, not an address: an index into a permanent
// table plus a use count of that entry. So using a handle after disconnecting is an error and never
// touches freed memory.
//
// A client may be closed and freed while threads use it. Each thread records the client it is using
// with a plain store. To free a client, a thread executes a process-wide memory barrier and then
// waits for the threads that use the client.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "client/manager_client.h"
#include "snakepit/shm/snakepit_shm.h"

namespace snakepit::shm {

// The record of one thread. Never freed, because waiting threads read all records.
struct CallRecord {
    std::atomic<std::uintptr_t> inside{0};  // a handle
    std::atomic<bool> used{true};           // in use by a live thread
    CallRecord* next = nullptr;
};

struct ClientPlace {
    std::atomic<std::uintptr_t> state{0};  // the handle; with bit 0 when closed; 0 when freed
    std::atomic<std::uint32_t> nested{0};  // calls that do not fit into a record
    std::unique_ptr<ManagerClient> client;
    std::uintptr_t uses = 0;
};

class ClientTable {
  public:
    static constexpr std::uintptr_t kClosed = 1;
    static constexpr unsigned kPlaceBits = 16;

    // Returns the new client's handle; client_limit_exceeded if the table is full.
    static Result<snakepit_shm_client*> add(std::unique_ptr<ManagerClient> client);
    // Ends the calls in flight and refuses new ones, except those that only release something.
    static void close(const snakepit_shm_client* handle);
    // The same, and frees the client once no call uses it; never if this thread itself is in such a
    // call. If several threads do this at once, one of them waits.
    static void remove(const snakepit_shm_client* handle);

    // What ClientCall does, for the shortest paths: calls `body` with the client if it is open.
    // False: it was not called, or returned false. It must not throw.
    template <typename F>
    static bool in_open_client(const snakepit_shm_client* client, F body) {
        const auto handle = reinterpret_cast<std::uintptr_t>(client);
        const auto* const to = place(handle);
        auto* const in = record_;
        if (!to || !in || in->inside.load(std::memory_order_relaxed) != 0 ||
            !barrier_is_made_by_others()) [[unlikely]]
            return false;
        in->inside.store(handle, std::memory_order_release);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        const bool done = to->state.load(std::memory_order_seq_cst) == handle && body(*to->client);
        in->inside.store(0, std::memory_order_release);
        return done;
    }

    // Null: this handle was never issued.
    static ClientPlace* place(std::uintptr_t handle) {
        if ((handle & kClosed) != 0 || handle >> (kPlaceBits + 1) == 0) return nullptr;
        const auto index = (handle >> 1) & (kPlaces - 1);
        auto* const chunk = chunks_[index / kChunk].load(std::memory_order_acquire);
        return chunk ? &(*chunk)[index % kChunk] : nullptr;
    }
    // The calling thread's record; null while its thread-local objects are being destroyed.
    static CallRecord* record() { return record_ ? record_ : make_record(); }
    static bool barrier_is_made_by_others() { return asymmetric_.load(std::memory_order_relaxed); }

  private:
    static constexpr std::uintptr_t kPlaces = std::uintptr_t{1} << kPlaceBits, kChunk = 256;
    static constexpr std::uintptr_t kMostUses = UINTPTR_MAX >> (kPlaceBits + 1);
    using Chunk = std::array<ClientPlace, kChunk>;

    friend struct RecordOwner;
    static CallRecord* make_record();
    static Result<std::uintptr_t> take_place();
    static void free_place(std::uintptr_t index);
    static void wait_until_left(const ClientPlace& place, std::uintptr_t handle);

    static std::array<std::atomic<Chunk*>, kPlaces / kChunk> chunks_;
    static std::atomic<CallRecord*> records_;
    static std::atomic<bool> asymmetric_;
    static thread_local constinit CallRecord* record_;
    static thread_local constinit bool thread_ends_;
};

// Marks that a thread uses a client.
class ClientCall {
  public:
    // `closed_too`: also for closed clients, for calls that only release something.
    explicit ClientCall(const snakepit_shm_client* client, bool closed_too = false)
        : handle_(reinterpret_cast<std::uintptr_t>(client)), place_(ClientTable::place(handle_)) {
        if (!place_) return;
        enter();
        const auto state = place_->state.load(std::memory_order_seq_cst);
        inside_ = state == handle_ || (closed_too && state == (handle_ | ClientTable::kClosed));
    }
    ~ClientCall() {
        if (!place_) return;
        if (record_)
            record_->inside.store(0, std::memory_order_release);
        else
            place_->nested.fetch_sub(1, std::memory_order_release);
    }
    ClientCall(const ClientCall&) = delete;
    ClientCall& operator=(const ClientCall&) = delete;

    explicit operator bool() const { return inside_; }
    ManagerClient& operator*() const { return *place_->client; }
    ManagerClient* operator->() const { return place_->client.get(); }
    // The reason if there is no client.
    Error error() const;

  private:
    void enter() {
        record_ = ClientTable::record();
        if (!record_ || record_->inside.load(std::memory_order_relaxed) != 0) [[unlikely]] {
            record_ = nullptr;  // such as a signal handler in the middle of a call
            place_->nested.fetch_add(1, std::memory_order_seq_cst);
        } else if (ClientTable::barrier_is_made_by_others()) {
            // Release: continues what an earlier call of this thread released.
            record_->inside.store(handle_, std::memory_order_release);
            std::atomic_signal_fence(std::memory_order_seq_cst);
        } else {
            record_->inside.exchange(handle_, std::memory_order_seq_cst);
        }
    }

    std::uintptr_t handle_;
    ClientPlace* place_;
    CallRecord* record_ = nullptr;
    bool inside_ = false;
};

}  // namespace snakepit::shm
