// SPDX-License-Identifier: MIT
#include "session.h"

#include <chrono>
#include <thread>

#include "reaper.h"

namespace snakepit::elixir {

// --------------------------------------------------------------------- leases and locks

Lease::Lease(std::shared_ptr<Session> of, std::string region, const snakepit_shm_mapping& mapped,
             bool may_write)
    : session(std::move(of)),
      id(std::move(region)),
      mapping(mapped),
      writable(may_write),
      encrypted(snakepit_shm_unmap_blocks(&mapped)) {}

Lease::~Lease() {
    if (released_) return;
    auto& reaper = encrypted ? Reaper::slow() : Reaper::quick();
    reaper.push([of = std::move(session), mapped = mapping]() mutable {
        snakepit_shm_unmap(of->handle(), &mapped);
        of->drop_lease();
    });
}

snakepit_shm_status Lease::release() {
    released_ = true;
    const auto status = snakepit_shm_unmap(session->handle(), &mapping);
    session->drop_lease();
    return status;
}

Hold::~Hold() {
    if (released_) return;
    const auto release = abandoned ? snakepit_shm_lock_abandon : snakepit_shm_unlock;
    Reaper::quick().push([release, of = std::move(session), region = id, given = token] {
        release(of->handle(), region.c_str(), given);
    });
}

snakepit_shm_status Hold::release() {
    released_ = true;
    return snakepit_shm_unlock(session->handle(), id.c_str(), token);
}

// ------------------------------------------------------------------------------ watches

Watch::Watch(std::shared_ptr<Session> of, WatchKind what, std::string region,
             const ErlNifPid& asker)
    : session(std::move(of)),
      kind(what),
      id(std::move(region)),
      process(asker),
      env(enif_alloc_env()) {}

Watch::~Watch() {
    enif_free_env(env);
}

bool Session::add(Watch* watch) {
    const std::lock_guard held(mutex_);
    if (closed_) return false;
    enif_keep_resource(watch);
    watches_.insert(watch);
    return true;
}

std::optional<snakepit_shm_event> Session::await(Watch* watch, std::uint64_t ticket, bool& ended) {
    {
        const std::lock_guard held(mutex_);
        ended = watch->ended;
        if (!ended) {
            const auto found = early_.find(ticket);
            if (found == early_.end()) {
                watch->ticket = ticket;
                waiting_.emplace(ticket, watch);
                return std::nullopt;
            }
            const auto event = found->second;
            early_.erase(found);
            give(watch, event);
            return event;
        }
    }
    abandon(ticket);
    return std::nullopt;
}

void Session::give(Watch* watch, const snakepit_shm_event& event) {
    watch->ticket = 0;
    if (event.token)
        watch->hold = std::make_shared<Hold>(shared_from_this(), event.id, event.token);
}

Watch* Session::arrived(const snakepit_shm_event& event) {
    const std::lock_guard held(mutex_);
    const auto found = waiting_.find(event.ticket);
    if (found != waiting_.end()) {
        auto* const watch = found->second;
        waiting_.erase(found);
        give(watch, event);
        enif_keep_resource(watch);
        return watch;
    }
    if (abandoned_.erase(event.ticket) != 0)
        release_early(event);
    else
        early_.emplace(event.ticket, event);
    return nullptr;
}

void Session::release_early(const snakepit_shm_event& event) {
    if (!event.token) return;
    Reaper::quick().push([self = shared_from_this(), event] {
        snakepit_shm_unlock(self->handle(), event.id, event.token);
    });
}

void Session::abandon(std::uint64_t ticket) {
    {
        const std::lock_guard held(mutex_);
        if (const auto found = early_.find(ticket); found != early_.end()) {
            release_early(found->second);
            early_.erase(found);
            return;
        }
        abandoned_.insert(ticket);
    }
    if (snakepit_shm_cancel(handle_, ticket) == SNAKEPIT_SHM_NOT_HELD) return;
    const std::lock_guard held(mutex_);
    abandoned_.erase(ticket);  // cancelled: there will be no event
}

Session::Ended Session::end(Watch* watch, bool died) {
    Ended ended;
    std::uint64_t ticket = 0;
    bool kept = false;
    {
        const std::lock_guard held(mutex_);
        if (watch->ended) return ended;
        watch->ended = ended.first = true;
        ended.hold = std::move(watch->hold);
        if (ended.hold && watch->write && died) ended.hold->abandoned = true;
        ticket = std::exchange(watch->ticket, 0);
        waiting_.erase(ticket);
        kept = watches_.erase(watch) > 0;
    }
    if (ticket) abandon(ticket);
    if (watch->kind == WatchKind::lock) drop_owner(watch->process);
    if (kept) enif_release_resource(watch);
    return ended;
}

void Session::deallocate(const std::string& id) {
    const auto status = snakepit_shm_deallocate(handle_, id.c_str());
    if (status != SNAKEPIT_SHM_NO_MANAGER || closed() || Reaper::slow().ending()) return;
    // Behind what else is to be done, so that closing the client does not wait for a manager.
    Reaper::slow().push([self = shared_from_this(), id] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        self->deallocate(id);
    });
}

void Session::forget_allocation(const std::string& id) {
    std::vector<Watch*> found;
    {
        const std::lock_guard held(mutex_);
        for (auto* watch : watches_)
            if (watch->kind == WatchKind::allocation && watch->id == id) found.push_back(watch);
        for (auto* watch : found) {
            watch->ended = true;
            watches_.erase(watch);
        }
    }
    for (auto* watch : found) enif_release_resource(watch);
}

std::vector<const Watch*> Session::locks_of(const ErlNifPid& process, const std::string& id) const {
    std::vector<const Watch*> found;
    if (owners_.count(process) == 0) return found;
    for (const auto* watch : watches_)
        if (watch->hold && watch->id == id && enif_compare_pids(&watch->process, &process) == 0)
            found.push_back(watch);
    return found;
}

std::shared_ptr<Hold> Session::read_lock(const ErlNifPid& process, const std::string& id) const {
    const std::lock_guard held(mutex_);
    std::shared_ptr<Hold> hold;
    for (const auto* watch : locks_of(process, id)) {
        if (watch->write) return nullptr;
        hold = watch->hold;
    }
    return hold;
}

bool Session::has_views(const ErlNifPid& process, const std::string& id) const {
    const std::lock_guard held(mutex_);
    for (const auto* watch : locks_of(process, id))
        if (!watch->write && watch->hold.use_count() > 1) return true;
    return false;
}

// ----------------------------------------------------------------------------- sessions

Session::~Session() {
    Reaper::slow().push([handle = handle_] { snakepit_shm_disconnect(handle); });
}

void Session::close() {
    std::vector<Watch*> left;
    {
        const std::lock_guard held(mutex_);
        if (closed_) return;
        closed_ = true;
        for (auto* watch : watches_) {
            enif_keep_resource(watch);
            left.push_back(watch);
        }
    }
    snakepit_shm_close(handle_);
    for (auto* watch : left) {
        end(watch);  // a lock is released in the background
        enif_release_resource(watch);
    }
    const std::lock_guard held(mutex_);
    if (leases_ == 0) Reaper::slow().push([handle = handle_] { snakepit_shm_disconnect(handle); });
}

bool Session::closed() const {
    const std::lock_guard held(mutex_);
    return closed_;
}

Counts Session::counts() const {
    const std::lock_guard held(mutex_);
    Counts counts;
    counts.leases = leases_;
    counts.views = static_cast<std::size_t>(views.load());
    for (const auto* watch : watches_) {
        counts.allocations += watch->kind == WatchKind::allocation;
        counts.locks += watch->hold != nullptr;
        counts.waits += watch->ticket != 0;
    }
    return counts;
}

std::shared_ptr<Lease> Session::lease(std::string id, const snakepit_shm_mapping& mapping,
                                      bool write) {
    const std::lock_guard held(mutex_);
    if (closed_) return nullptr;
    ++leases_;
    return std::make_shared<Lease>(shared_from_this(), std::move(id), mapping, write);
}

void Session::drop_lease() {
    const std::lock_guard held(mutex_);
    if (--leases_ == 0 && closed_)
        Reaper::slow().push([handle = handle_] { snakepit_shm_disconnect(handle); });
}

std::uint32_t Session::owner_of(const ErlNifPid& process) {
    const std::lock_guard held(mutex_);
    auto& owner = owners_[process];
    if (owner.uses++ == 0) {
        owner.number = next_owner_++;
        if (next_owner_ == 0) next_owner_ = SNAKEPIT_SHM_FIRST_OWNER;
    }
    return owner.number;
}

void Session::drop_owner(const ErlNifPid& process) {
    const std::lock_guard held(mutex_);
    const auto found = owners_.find(process);
    if (found != owners_.end() && --found->second.uses == 0) owners_.erase(found);
}

}  // namespace snakepit::elixir
