// SPDX-License-Identifier: MIT
#include "client/manager_client.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "client/manager_client_private.h"
#include "platform/guarded_copy.h"

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// A grant can be withdrawn before we acquire our reference; retry this often.
constexpr int kGrantAttempts = 8;

Error cut_error(const RegionId& id) {
    return make_error(
        ErrorCode::corruption_detected,
        fmt::format("the memory of {} was truncated by another process", id.str()),
        "run 'snakepit-shm health' for details; deallocate the region and allocate a new one");
}

}  // namespace

Status ManagerClient::Private::release(const MappedRegion& mapping) {
    const auto& lease = connection->lease();
    const auto given = mapping.audited ? lease.release(mapping.slot, mapping.generation, false)
                                       : lease.release(mapping.slot, mapping.generation);
    if (given == LeasePage::Release::released ||
        (given == LeasePage::Release::last && !mapping.tell_release))
        return kSuccess;
    if (given == LeasePage::Release::not_held)
        return fail(ErrorCode::not_held, "this reference was already released",
                    "unmap each mapping once");
    // Only a hint for the manager's next sweep: not worth waiting for another thread's call.
    const auto held = connection->try_lock();
    if (!held) return {};
    wire::ReleasedT released;
    released.slot = mapping.slot;
    released.generation = mapping.generation;
    wire::RequestT request;
    request.call.Set(std::move(released));
    connection->tell(std::move(request));
    return {};
}

Result<std::unique_ptr<ManagerClient>> ManagerClient::connect(const ConnectOptions& options) {
    SHM_ASSIGN(auto connection, Connection::open(options));
    return std::unique_ptr<ManagerClient>(
        new ManagerClient(std::make_unique<Private>(std::move(connection))));
}

ManagerClient::ManagerClient(std::unique_ptr<Private> d) : d_(std::move(d)) {}
ManagerClient::~ManagerClient() = default;

void ManagerClient::close() {
    d_->connection->close();
    if (d_->connection->forked()) return;
    d_->signals.wake_sleepers();
    d_->events.closed();
}
bool ManagerClient::forked() const {
    return d_->connection->forked();
}

Result<MappedRegion> ManagerClient::Private::map_slowly(const RegionId& id, AccessMode access,
                                                        bool handle) {
    for (int attempt = 0; attempt < kGrantAttempts; ++attempt) {
        wire::MapT call;
        call.id = std::make_unique<wire::RegionKey>(to_wire(id));
        call.access = static_cast<std::uint8_t>(access);
        call.handle = handle;
        SHM_ASSIGN(const auto answer, ask_locked(std::move(call)));
        SHM_ASSIGN(auto* entry, mapper.install(answer, access));
        handle = !entry;
        if (!entry) continue;
        LeasePage::Acquire outcome{};
        SHM_ASSIGN(const auto mapped, mapper.acquire(*entry, id, access, outcome));
        if (outcome == LeasePage::Acquire::acquired) return mapped;
    }
    auto error =
        make_error(ErrorCode::mapping_failed, fmt::format("{} is being withdrawn", id.str()),
                   "it is being cleaned up; allocate a new region");
    error.region_id = id.str();
    return fail(std::move(error));
}

Result<MappedRegion> ManagerClient::Private::map_quickly(CachedRegion& entry, const RegionId& id,
                                                         AccessMode access) {
    LeasePage::Acquire outcome{};
    SHM_ASSIGN(const auto mapped, mapper.acquire(entry, id, access, outcome));
    if (outcome != LeasePage::Acquire::acquired) return MappedRegion{};
    if (!mapped.audited) return mapped;
    // Another thread of ours holds it; its access was recorded, this one is not yet.
    connection->lease().release(mapped.slot, mapped.generation, false);
    return MappedRegion{};
}

Result<MappedRegion> ManagerClient::Private::acquire(const RegionId& id, AccessMode access) {
    if (connection->forked()) return fail(forked_error());
    if (auto* entry = mapper.find(id)) {
        SHM_ASSIGN(const auto mapped, map_quickly(*entry, id, access));
        if (mapped.data) return mapped;
    }
    SHM_ASSIGN(const auto held, lock());
    if (auto* entry = mapper.find(id);
        entry && (access == AccessMode::read_only || entry->own.load(std::memory_order_relaxed))) {
        SHM_TRY(access == AccessMode::read_only ? mapper.add_read_only(*entry)
                                                : mapper.expose(*entry, access));
        SHM_ASSIGN(const auto mapped, map_quickly(*entry, id, access));
        if (mapped.data) return mapped;
    }
    return map_slowly(id, access, false);
}

Result<MappedRegion> ManagerClient::map(const RegionId& id, AccessMode access) {
    if (d_->connection->forked()) return fail(forked_error());
    // The fast path: common cases skip everything that only the others need.
    if (auto* entry = d_->mapper.find(id)) {
        if (Mapper::to_be_timed(*entry)) [[unlikely]]
            return d_->map_timed(id, access);
        LeasePage::Acquire outcome{};
        auto mapped = d_->mapper.acquire(*entry, id, access, outcome);
        if (!mapped) return mapped;
        if (outcome == LeasePage::Acquire::acquired) {
            if (mapped->plain()) return mapped;
            (void)d_->release(*mapped);
        }
    }
    return d_->map_asking(id, access);
}

Result<MappedRegion> ManagerClient::map_cached(const RegionId& id, AccessMode access) {
    if (d_->connection->forked()) return fail(forked_error());
    if (auto* entry = d_->mapper.find(id)) {
        // Mapped for writing alone: its second mapping needs the mutex, for a moment.
        if (!entry->data[static_cast<std::size_t>(access)].load(std::memory_order_relaxed))
            if (const auto held = d_->connection->try_lock(); held && entry->is(id))
                SHM_TRY(access == AccessMode::read_only ? d_->mapper.add_read_only(*entry)
                                                        : d_->mapper.expose(*entry, access));
        SHM_ASSIGN(const auto mapped, d_->map_quickly(*entry, id, access));
        if (mapped.data && mapped.plain()) return mapped;
        if (mapped.data) (void)d_->release(mapped);
    }
    return fail(ErrorCode::not_cached,
                fmt::format("mapping {} needs a request to the manager", id.str()),
                "map it with snakepit_shm_map");
}

Result<MappedRegion> ManagerClient::Private::map_asking(const RegionId& id, AccessMode access) {
    SHM_ASSIGN(const auto mapped, acquire(id, access));
    if (mapped.level == SecurityLevel::standard) return mapped;
    auto view = encrypted.open(id, mapped);
    if (!view) (void)release(mapped);
    return view;
}

// Whether this client still had the reference from allocating the region.
bool ManagerClient::Private::release_allocation(CachedRegion& entry, const RegionId& id) {
    const auto& lease = connection->lease();
    const auto slot = entry.slot.load(std::memory_order_relaxed);
    const auto generation = entry.generation.load(std::memory_order_acquire);
    if (entry.own.load(std::memory_order_acquire)) {
        // Not the next region there, which another thread may have allocated meanwhile.
        if (layout::stashed_micros(id.micros, generation) != id.micros ||
            !lease.leave(slot, generation))
            return false;
        entry.own.store(false, std::memory_order_release);
        return true;
    }
    if (!std::exchange(entry.holds_allocation, false)) return false;
    lease.release(slot, generation, !entry.audited);
    return true;
}

// The reference from allocating it would prevent the region from moving; it is acquired again
// afterwards, if still permitted.
Result<Connection::Answer> ManagerClient::Private::ask_without_holding(const RegionId& id,
                                                                       wire::RequestT request,
                                                                       AccessMode again) {
    SHM_ASSIGN(const auto held, lock());
    auto* entry = mapper.find(id);
    const bool holds = entry && release_allocation(*entry, id);
    auto answer = connection->call(std::move(request));
    if (answer) answer->no_fork = {};
    if (holds) {
        if (const auto mapped = map_slowly(id, again, false)) mapper.at(id).holds_allocation = true;
    }
    return answer;
}

Result<bool> ManagerClient::seal(const RegionId& id) {
    wire::SealT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    wire::RequestT request;
    request.call.Set(std::move(call));
    SHM_ASSIGN(const auto answer,
               d_->ask_without_holding(id, std::move(request), AccessMode::read_only));
    const auto* done = answer.reply.answer.AsDone();
    if (!done) return unexpected_answer();
    return done->sealed;
}

Result<std::string> ManagerClient::set_policy(const RegionId& id, const std::string& json) {
    wire::SetPolicyT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    call.policy = json;
    wire::RequestT request;
    request.call.Set(std::move(call));
    SHM_ASSIGN(const auto answer,
               d_->ask_without_holding(id, std::move(request), AccessMode::read_only));
    const auto* document = answer.reply.answer.AsDocument();
    if (!document) return unexpected_answer();
    return document->json;
}

void ManagerClient::end_inheritance() {
    d_->inheritance.end();
}

Status ManagerClient::unmap(const MappedRegion& mapping) {
    if (d_->connection->forked()) return d_->inheritance.unmap(mapping);
    if (!mapping.data || mapping.slot >= layout::kMaxSlots)
        return fail(ErrorCode::invalid_argument, "this mapping does not belong to this client",
                    "unmap each mapping that map() returned once");
    if (mapping.timed) [[unlikely]]
        return d_->release_timed(mapping);
    if (mapping.level == SecurityLevel::standard) return d_->release(mapping);
    Status written;
    SHM_TRY(d_->encrypted.close(mapping, written));
    const auto given = d_->release(mapping);
    return given ? written : given;
}

Status ManagerClient::read(const RegionId& id, std::uint64_t offset, std::span<std::byte> out) {
    return d_->with_part(id, AccessMode::read_only, offset, out.size(),
                         [&](const MappedRegion& segment) -> Status {
                             if (segment.level != SecurityLevel::standard)
                                 return d_->encrypted.read(id, segment, offset, out);
                             if (copy_from_shared(out.data(), segment.data + offset, out.size()))
                                 return {};
                             return fail(cut_error(id));
                         });
}

Status ManagerClient::write(const RegionId& id, std::uint64_t offset,
                            std::span<const std::byte> bytes) {
    return d_->with_part(id, AccessMode::read_write, offset, bytes.size(),
                         [&](const MappedRegion& segment) -> Status {
                             if (segment.level != SecurityLevel::standard)
                                 return d_->encrypted.write(id, segment, offset, bytes);
                             if (copy_to_shared(segment.data + offset, bytes.data(), bytes.size()))
                                 return {};
                             return fail(cut_error(id));
                         });
}

Status ManagerClient::flush(const MappedRegion& mapping) {
    if (d_->connection->forked()) return fail(forked_error());
    if (mapping.level == SecurityLevel::standard) return {};
    return d_->encrypted.flush(mapping);
}

Status ManagerClient::refresh(const MappedRegion& mapping) {
    if (d_->connection->forked()) return fail(forked_error());
    if (mapping.level == SecurityLevel::standard) return {};
    return d_->encrypted.refresh(mapping);
}

Result<std::uint32_t> ManagerClient::rotate_key(const RegionId& id) {
    Result<std::uint32_t> key = 0U;
    const auto rotated =
        d_->with_part(id, AccessMode::read_write, 0, 0, [&](const MappedRegion& segment) -> Status {
            if (segment.level == SecurityLevel::standard)
                return fail(ErrorCode::invalid_argument,
                            fmt::format("{} is not encrypted", id.str()),
                            "allocate it with level 'high' or 'maximum'");
            key = d_->encrypted.rotate(id, segment);
            return key ? Status() : fail(key.error());
        });
    if (!rotated) return fail(rotated.error());
    return key;
}

Result<bool> ManagerClient::deallocate(const RegionId& id, bool force) {
    if (auto* entry = d_->mapper.find(id); entry && !force && !d_->connection->forked())
        if (d_->stash.recycle(*entry, id)) return true;
    wire::DeallocateT call;
    call.force = force;
    return d_->deallocate(id, std::move(call));
}

Result<bool> ManagerClient::quarantine(const RegionId& id) {
    wire::DeallocateT call;
    call.quarantine = true;
    return d_->deallocate(id, std::move(call));
}

Result<bool> ManagerClient::Private::deallocate(const RegionId& id, wire::DeallocateT call) {
    SHM_ASSIGN(const auto held, lock());
    auto* entry = mapper.find(id);
    // No notification: the following request implies it.
    if (entry) (void)release_allocation(*entry, id);
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    bool repeated = false;
    auto answer = ask_locked(std::move(call), &repeated);
    if (!answer && repeated && answer.error().code == ErrorCode::region_not_found)
        return true;  // the first attempt succeeded
    if (!answer) return fail(std::move(answer).error());
    const auto* done = answer->reply.answer.AsDone();
    if (!done) return unexpected_answer();
    return done->gone;
}

std::uint64_t ManagerClient::references_held(const RegionId& id) const {
    const auto* entry = d_->mapper.find(id);
    if (!entry || d_->connection->forked()) return 0;
    const auto word = d_->connection->lease()
                          .word(entry->slot.load(std::memory_order_relaxed))
                          .load(std::memory_order_relaxed);
    const bool counts =
        layout::LeaseWord::generation(word) == entry->generation.load(std::memory_order_relaxed) &&
        layout::LeaseWord::n(word) > 1;
    return counts ? layout::LeaseWord::n(word) - 1 : 0;
}

std::uint64_t ManagerClient::round_trips() const {
    return d_->connection->round_trips();
}
const InstancePaths& ManagerClient::paths() const {
    return d_->connection->paths();
}

}  // namespace snakepit::shm
