// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "client/connection.h"
#include "client/encrypted_views.h"
#include "client/event_client.h"
#include "client/inheritance.h"
#include "client/lock_client.h"
#include "client/manager_client.h"
#include "client/mapper.h"
#include "client/signal_client.h"
#include "client/stash.h"

namespace snakepit::shm {

class ManagerClient::Private {
  public:
    explicit Private(std::unique_ptr<Connection> c)
        : connection(std::move(c)),
          mapper(connection->lease()),
          stash(connection->lease()),
          inheritance(*connection, mapper),
          locks(*connection),
          encrypted([this](wire::RequestT request) { return ask_reply(std::move(request)); },
                    locks),
          signals(*connection),
          events(*connection, locks, [this](const RegionId& id) { return counter_of(id); }) {
        connection->when_reconnected([this] {
            locks.reconnected();
            events.reconnected();
        });
    }
    ~Private() {
        inheritance.leave();
        if (connection->forked()) {
            inheritance.end();
            mapper.abandon();
            encrypted.abandon();
            signals.abandon();
        } else {
            mapper.release_all();
        }
    }

    Result<Connection::Lock> lock() { return connection->lock(); }

    template <typename Call>
    Result<Connection::Answer> ask(Call call, bool* repeated = nullptr) {
        SHM_ASSIGN(const auto held, lock());
        return ask_locked(std::move(call), repeated);
    }
    template <typename Call>
    Result<Connection::Answer> ask_locked(Call call, bool* repeated = nullptr) {
        wire::RequestT request;
        request.call.Set(std::move(call));
        auto answer = connection->call(std::move(request), repeated);
        return answer;
    }

    Result<Connection::Answer> ask_without_holding(const RegionId& id, wire::RequestT request,
                                                   AccessMode again);
    Result<wire::ReplyT> ask_reply(wire::RequestT request) {
        SHM_ASSIGN(const auto held, lock());
        auto answer = connection->call(std::move(request));
        if (!answer) return fail(std::move(answer).error());
        return std::move(answer->reply);
    }

    // A reference to the region, and where its segment is mapped.
    Result<MappedRegion> acquire(const RegionId& id, AccessMode access);
    // Calls `use` with such a reference if the range lies inside the region.
    template <typename Use>
    Status with_part(const RegionId& id, AccessMode access, std::uint64_t offset,
                     std::uint64_t size, Use use) {
        SHM_ASSIGN(const auto segment, acquire(id, access));
        auto used = offset <= segment.size && size <= segment.size - offset
                        ? use(segment)
                        : Status(fail(ErrorCode::invalid_argument, "the range exceeds the region",
                                      "check the region's size first"));
        (void)release(segment);
        return used;
    }
    // With the mutex, as the following (manager_client_allocate.cpp).
    // `use` takes the reference that the answer grants.
    template <typename Use>
    auto allocate(const wire::AllocateT& call, bool& unable, Use use)
        -> std::invoke_result_t<Use, Connection::Answer>;
    // allocate(), and a second time without reserving the memory here if that was the obstacle.
    template <typename Use>
    auto allocate_region(Connection::Lock& held, wire::AllocateT call, Use use)
        -> std::invoke_result_t<Use, Connection::Answer>;
    // If it is refused, `held` is unlocked.
    Status check_memory(std::uint64_t size, Connection::Lock& held);
    std::int64_t pause_of_refusal();
    Result<Connection::Answer> reserve(Connection::Answer& answer, std::uint64_t request_id,
                                       std::int64_t deadline, bool& unable);
    Result<RegionId> hold(Connection::Answer answer);
    bool release_allocation(CachedRegion& entry, const RegionId& id);
    Result<OpenedRegion> take_opened(Connection::Answer answer, AccessMode access);
    // With the mutex. Requests the region and acquires a reference.
    Result<MappedRegion> map_slowly(const RegionId& id, AccessMode access, bool handle);
    Status release(const MappedRegion& mapping);
    // map() for regions that are not granted, audited or encrypted.
    Result<MappedRegion> map_asking(const RegionId& id, AccessMode access);
    // manager_client_timed.cpp: one of every few hundred, for the statistics.
    Result<MappedRegion> map_timed(const RegionId& id, AccessMode access);
    Status release_timed(const MappedRegion& mapping);
    // Without asking the manager, if possible; if `data` is null nothing was acquired.
    Result<MappedRegion> map_quickly(CachedRegion& entry, const RegionId& id, AccessMode access);
    // manager_client_signals.cpp. A reference for a moment, and the region's word.
    struct Pin {
        MappedRegion reference;
        layout::SignalWord* word = nullptr;
        std::shared_ptr<Mapping> mapping;
    };
    // Without a request, if possible; then only the lease word has to be released.
    struct QuickPin {
        CachedRegion* entry = nullptr;
        layout::SignalWord* word = nullptr;
        std::uint64_t generation = 0;
        std::uint32_t slot = 0;
    };
    QuickPin pin_quickly(const RegionId& id);
    void unpin(const QuickPin& pin) { connection->lease().release(pin.slot, pin.generation); }
    // With what keeps the word mapped.
    Result<Pin> pin(const RegionId& id, std::int64_t until);
    Result<Pin> pin_asking(const RegionId& id, const Deadline& deadline);
    Result<MappedRegion> reference_to(const RegionId& id);
    // Whom the marks name.
    void wake(const layout::SignalWord& word, std::uint64_t marks, std::uint32_t slot,
              std::uint64_t generation);
    // Of its signal word, if that needs no request.
    std::optional<std::uint64_t> counter_of(const RegionId& id);
    // Releases the allocation's own reference and sends `call`.
    Result<bool> deallocate(const RegionId& id, wire::DeallocateT call);

    std::unique_ptr<Connection> connection;
    Mapper mapper;
    Stash stash;
    Inheritance inheritance;
    std::uint64_t short_of = 0;  // a size that did not fit into this process's control group, or 0
    // When that was found last, and how long it is not checked again; monotonic nanoseconds.
    std::int64_t short_since = 0, short_for = 0;
    LockClient locks;
    EncryptedViews encrypted;
    SignalClient signals;
    EventClient events;
};

}  // namespace snakepit::shm
