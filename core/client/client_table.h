// SPDX-License-Identifier: MIT
// The clients of the C interface. A handle is a number and no address: the place of its client in a
// table that stays, and how often that place was used before. So a handle that is used after its
// end is an error and nothing that was freed is touched.
//
// A client may be closed and freed under any number of threads. Each thread notes which client it
// is in with a plain store; who frees one makes a memory barrier for all threads and then waits for
// those that are in it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "client/manager_client.h"
#include "snakepit/shm/snakepit_shm.h"

namespace snakepit::shm {

// One thread's. Never freed, because those who wait for calls look at all of them.
struct CallRecord {
    std::atomic<std::uintptr_t> inside{0};  // a handle
    std::atomic<bool> used{true};           // by a thread that lives
    CallRecord* next = nullptr;
};

struct ClientPlace {
    std::atomic<std::uintptr_t> state{0};  // the handle; with bit 0 when closed; 0 when freed
    std::atomic<std::uint32_t> nested{0};  // calls that no record has room for
    std::unique_ptr<ManagerClient> client;
    std::uintptr_t uses = 0;
};

class ClientTable {
  public:
    static constexpr std::uintptr_t kClosed = 1;
    static constexpr unsigned kPlaceBits = 16;

    // The new client's handle. client_limit_exceeded.
    static Result<snakepit_shm_client*> add(std::unique_ptr<ManagerClient> client);
    // Ends the calls in flight and refuses new ones, except those that only give something back.
    static void close(const snakepit_shm_client* handle);
    // The same, and frees the client when no call is in it any more, in a call of this thread's
    // own: never. Of several threads that do it at once one waits.
    static void remove(const snakepit_shm_client* handle);

    // Null: no client ever had this handle.
    static ClientPlace* place(std::uintptr_t handle) {
        if ((handle & kClosed) != 0 || handle >> (kPlaceBits + 1) == 0) return nullptr;
        const auto index = (handle >> 1) & (kPlaces - 1);
        auto* const chunk = chunks_[index / kChunk].load(std::memory_order_acquire);
        return chunk ? &(*chunk)[index % kChunk] : nullptr;
    }
    // The calling thread's; null while its thread-local objects are destroyed.
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

// A thread's stay in a client.
class ClientCall {
  public:
    // `closed_too`: for what only gives something back.
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
    // Why not.
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
