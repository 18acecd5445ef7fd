// SPDX-License-Identifier: MIT
// Requests about locks. Each is answered at once: a program that has to wait does so itself, and
// its connection stays free for the thread that gives the lock back.
#include "server/client_connection.h"
#include "server/server.h"

namespace snakepit::shm {

namespace {

// A page of locked regions; one more, at most kNamedLockers of each kind, fits behind it.
constexpr std::size_t kLocksBytes = 16 * 1024;

}  // namespace

bool ClientConnection::lock_call(std::uint64_t id, const wire::RequestT& request) {
    auto& service = server_.service();
    using wire::Call;
    switch (request.call.type) {
        case Call::Lock: {
            const auto& call = *request.call.AsLock();
            const auto mode = call.mode ? AccessMode::read_write : AccessMode::read_only;
            answer_lock(id, service.lock(caller_, {from_wire(call.id), mode, call.timeout_ms,
                                                   call.thread, call.request}));
            return true;
        }
        case Call::LockWait:
            answer_lock(id, service.lock_wait(caller_, request.call.AsLockWait()->ticket));
            return true;
        case Call::LockCancel:
            answer_lock(id, service.lock_cancel(caller_, request.call.AsLockCancel()->ticket));
            return true;
        case Call::Unlock: {
            const auto& call = *request.call.AsUnlock();
            answer_done(
                id, call.abandoned
                        ? service.abandon(caller_, from_wire(call.id), call.token)
                        : service.unlock(caller_, from_wire(call.id), call.token, call.request));
            return true;
        }
        case Call::LockRequestCancel: {
            const auto& call = *request.call.AsLockRequestCancel();
            service.lock_request_cancel(caller_, from_wire(call.id), call.thread, call.request);
            return true;
        }
        case Call::Locks:
            locks(id, *request.call.AsLocks());
            return true;
        case Call::ReleaseLocks:
            release_locks(id, *request.call.AsReleaseLocks());
            return true;
        default:
            return false;
    }
}

void ClientConnection::answer_lock(std::uint64_t id, const Result<LockReply>& reply) {
    if (!reply) return answer_error(id, reply.error());
    wire::LockedT locked;
    locked.state = static_cast<std::uint8_t>(reply->state);
    locked.token = reply->token;
    locked.ticket = reply->ticket;
    locked.inconsistent = reply->inconsistent;
    if (const auto& delegation = reply->delegation) {
        locked.delegated = true;
        locked.slot = delegation->slot;
        locked.base = delegation->base;
        locked.writable = delegation->writable;
    }
    answer(id, std::move(locked));
}

void ClientConnection::locks(std::uint64_t id, const wire::LocksT& call) {
    auto slot = call.from_slot;
    const auto found = server_.service().locks(caller_, call.filter, slot, kLocksBytes);
    if (!found) return answer_error(id, found.error());
    wire::LockedRegionsT page;
    for (const auto& one : *found)
        page.regions.push_back(std::make_unique<wire::LockedRegionT>(to_wire(one)));
    page.next_slot = slot;
    page.more = slot < server_.state().registry.frontier();
    answer(id, std::move(page));
}

void ClientConnection::release_locks(std::uint64_t id, const wire::ReleaseLocksT& call) {
    const auto released = server_.service().release_locks(caller_, from_wire(call.id), call.token);
    if (!released) return answer_error(id, released.error());
    wire::LockedRegionsT page;
    page.regions.push_back(std::make_unique<wire::LockedRegionT>(to_wire(*released)));
    answer(id, std::move(page));
}

}  // namespace snakepit::shm
