// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "client/connection.h"
#include "client/lock_client.h"
#include "client/manager_client.h"
#include "client/mapper.h"

namespace snakepit::shm {

class ManagerClient::Private {
  public:
    explicit Private(std::unique_ptr<Connection> c)
        : connection(std::move(c)), mapper(connection->lease()), locks(*connection, mutex) {}
    ~Private() {
        if (connection->forked()) mapper.abandon();
    }

    // Locks, unless this process is a forked copy, whose mutex may be held by nobody for ever.
    Result<std::unique_lock<std::mutex>> lock() {
        if (connection->forked()) return fail(forked_error());
        return std::unique_lock(mutex);
    }

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
        locks.tell_forsaken();
        return answer;
    }

    // With the mutex. Asks for the region and takes a reference.
    Result<MappedRegion> map_slowly(const RegionId& id, AccessMode access, bool handle);
    Status give_back(const MappedRegion& mapping);
    // Without asking, if that may be: nothing was taken when `data` is null.
    Result<MappedRegion> map_quickly(CachedRegion& entry, const RegionId& id, AccessMode access);
    // Gives the allocation's own reference back and sends `call`.
    Result<bool> deallocate(const RegionId& id, wire::DeallocateT call);

    std::unique_ptr<Connection> connection;
    std::mutex mutex;
    Mapper mapper;
    LockClient locks;
};

}  // namespace snakepit::shm
