// SPDX-License-Identifier: MIT
#include "client/manager_client.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "client/connection.h"
#include "client/region_cache.h"

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// A grant can be withdrawn again before we take our reference; asked for anew this often.
constexpr int kGrantAttempts = 8;
// Entries looked at for each new one: keeps mappings of regions that ended from piling up.
constexpr std::size_t kPurgeStep = 8;

Error forked_error() {
    return make_error(ErrorCode::forked,
                      "this process was forked and inherits no connection to the manager",
                      "connect again in the child");
}

Error full_error(const RegionId& id) {
    return make_error(ErrorCode::reference_limit,
                      fmt::format("this program holds too many references to {}", id.str()),
                      "unmap what is not needed");
}

tl::unexpected<Error> unexpected_answer() {
    return fail(ErrorCode::protocol_error, "the manager's answer is not one to this request",
                "use one release of both");
}

}  // namespace

class ManagerClient::Private {
  public:
    explicit Private(std::unique_ptr<Connection> c) : connection(std::move(c)) {}
    ~Private() {
        if (connection->forked()) cache.abandon();
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
        return connection->call(std::move(request), repeated);
    }

    // With the mutex. Maps what was granted, if it is not mapped so already.
    struct Place {
        Mapping fresh;                 // made for this region alone, just now
        CachedArena* arena = nullptr;  // or the arena it lies in
        std::byte* data = nullptr;
    };
    Result<Place> place_of(const wire::GrantedT& granted, const Handle& handle, AccessMode access);
    Result<Mapping> map_segment(const Handle& handle, std::uint64_t offset, std::uint64_t size,
                                AccessMode access);
    void forget_place(CachedRegion& entry);
    // With the mutex. Asks for the region and takes a reference.
    Result<MappedRegion> map_slowly(const RegionId& id, AccessMode access, bool handle);
    Result<CachedRegion*> install(const Connection::Answer& answer, AccessMode access);
    // With the mutex. A region that is mapped for writing can be mapped for reading without asking.
    Status add_read_only(CachedRegion& entry);
    Result<MappedRegion> take(CachedRegion& entry, const RegionId& id, AccessMode access,
                              LeasePage::Take& outcome) const;
    Status give_back(std::uint32_t slot, std::uint64_t generation, bool tell_release);
    // Gives the allocation's own reference back and sends `call`.
    Result<bool> deallocate(const RegionId& id, wire::DeallocateT call);

    std::unique_ptr<Connection> connection;
    std::mutex mutex;
    RegionCache cache;
};

// Where the region is mapped, made if need be; nowhere when its handle is needed for that and did
// not come.
Result<ManagerClient::Private::Place> ManagerClient::Private::place_of(
    const wire::GrantedT& granted, const Handle& handle, AccessMode access) {
    const auto mode = static_cast<std::size_t>(access);
    if (granted.arena == 0) {
        const auto* known = cache.find(from_wire(*granted.id));
        const bool there = known && !known->arena && known->mapping[mode].valid() &&
                           known->generation.load(std::memory_order_relaxed) == granted.generation;
        if (there) return Place{{}, nullptr, known->mapping[mode].data()};
        if (!handle) return Place{};
        SHM_ASSIGN(auto mapping, map_segment(handle, 0, granted.segment_size, access));
        auto* const data = mapping.data();
        return Place{std::move(mapping), nullptr, data};
    }
    auto& arena = cache.arena(granted.arena);
    auto& mapping = arena.mapping[mode];
    if (!mapping.valid() && access == AccessMode::read_only && arena.mapping[1].valid()) {
        SHM_ASSIGN(mapping, arena.mapping[1].read_only_twin());
    }
    if (!mapping.valid()) {
        if (!handle) return Place{};
        if (auto whole = map_segment(handle, 0, granted.segment_size, access)) {
            mapping = std::move(*whole);
        } else {  // no address space for an arena: for the region alone there may be some
            SHM_ASSIGN(auto slice,
                       map_segment(handle, granted.offset, layout::page_up(granted.size), access));
            auto* const data = slice.data();
            return Place{std::move(slice), nullptr, data};
        }
    }
    if (granted.offset + granted.size > mapping.size()) return unexpected_answer();
    return Place{{}, &arena, mapping.data() + granted.offset};
}

Result<Mapping> ManagerClient::Private::map_segment(const Handle& handle, std::uint64_t offset,
                                                    std::uint64_t size, AccessMode access) {
    const auto protection =
        access == AccessMode::read_write ? Mapping::Access::read_write : Mapping::Access::read_only;
    auto mapping = Mapping::map(handle, size, protection, false, offset);
    if (!mapping) {  // out of mappings, perhaps: those of ended regions are in the way
        cache.purge(connection->lease(), cache.size());
        mapping = Mapping::map(handle, size, protection, false, offset);
    }
    return mapping;
}

// Null: the answer brought no handle, and one is needed.
Result<CachedRegion*> ManagerClient::Private::install(const Connection::Answer& answer,
                                                      AccessMode access) {
    const auto* granted = answer.reply.answer.AsGranted();
    if (!granted || !granted->id) return unexpected_answer();
    cache.purge(connection->lease(), kPurgeStep);
    const auto mode = static_cast<std::size_t>(access);
    const auto id = from_wire(*granted->id);
    // Mapped before the entry is made: the grant may be withdrawn at any time, and purging then
    // drops it.
    SHM_ASSIGN(auto place, place_of(*granted, answer.handle, access));
    if (!place.data) return nullptr;
    auto& entry = cache.at(id);
    if (entry.generation.load(std::memory_order_relaxed) != granted->generation)
        forget_place(entry);
    cache.locate(entry, place.arena);
    entry.slot.store(granted->slot, std::memory_order_relaxed);
    entry.size.store(granted->size, std::memory_order_relaxed);
    entry.tell_release.store(granted->tell_release, std::memory_order_relaxed);
    if (place.fresh.valid()) entry.mapping[mode] = std::move(place.fresh);
    entry.data[mode].store(place.data, std::memory_order_release);
    entry.generation.store(granted->generation, std::memory_order_release);
    return &entry;
}

// The region has moved: what was mapped is not where it is. Nobody of ours holds it, or it could
// not.
void ManagerClient::Private::forget_place(CachedRegion& entry) {
    entry.generation.store(0, std::memory_order_release);
    for (int mode = 0; mode < 2; ++mode) {
        entry.data[mode].store(nullptr, std::memory_order_release);
        entry.mapping[mode].reset();
    }
}

Status ManagerClient::Private::add_read_only(CachedRegion& entry) {
    constexpr auto kRead = static_cast<std::size_t>(AccessMode::read_only);
    constexpr auto kWrite = static_cast<std::size_t>(AccessMode::read_write);
    auto* const mappings = entry.arena ? entry.arena->mapping : entry.mapping;
    if (entry.data[kRead].load(std::memory_order_relaxed) ||
        !entry.data[kWrite].load(std::memory_order_relaxed))
        return {};
    const auto no_fork = ForkGuard::instance().no_fork();
    if (!mappings[kRead].valid()) {
        SHM_ASSIGN(mappings[kRead], mappings[kWrite].read_only_twin());
    }
    const auto offset =
        entry.data[kWrite].load(std::memory_order_relaxed) - mappings[kWrite].data();
    entry.data[kRead].store(mappings[kRead].data() + offset, std::memory_order_release);
    return {};
}

// Lock-free. The entry may have become another region's while we looked: the reference pins it,
// so its id is compared again once the reference is held; its slot too, for slot and generation may
// have been read one before and one after.
Result<MappedRegion> ManagerClient::Private::take(CachedRegion& entry, const RegionId& id,
                                                  AccessMode access,
                                                  LeasePage::Take& outcome) const {
    const auto slot = entry.slot.load(std::memory_order_relaxed);
    const auto generation = entry.generation.load(std::memory_order_acquire);
    outcome = LeasePage::Take::not_granted;
    if (generation == 0) return MappedRegion{};
    outcome = connection->lease().take(slot, generation);
    if (outcome == LeasePage::Take::full) return fail(full_error(id));
    if (outcome != LeasePage::Take::taken) return MappedRegion{};
    auto* const data = entry.data[static_cast<std::size_t>(access)].load(std::memory_order_acquire);
    const bool same = entry.is(id) &&
                      entry.generation.load(std::memory_order_relaxed) == generation &&
                      entry.slot.load(std::memory_order_relaxed) == slot;
    if (!same || !data) {
        connection->lease().give_back(slot, generation);
        outcome = LeasePage::Take::not_granted;
        return MappedRegion{};
    }
    return MappedRegion{data,   entry.size.load(std::memory_order_relaxed),        slot, generation,
                        access, entry.tell_release.load(std::memory_order_relaxed)};
}

Status ManagerClient::Private::give_back(std::uint32_t slot, std::uint64_t generation,
                                         bool tell_release) {
    const auto given = connection->lease().give_back(slot, generation);
    if (given == LeasePage::Give::not_held)
        return fail(ErrorCode::not_held, "this reference was given back already",
                    "unmap each mapping once");
    const bool tell = given == LeasePage::Give::last_of_closing ||
                      (given == LeasePage::Give::last && tell_release);
    // Only a hint that saves the manager's next sweep: not worth waiting for another thread's call.
    std::unique_lock held(mutex, std::defer_lock);
    if (!tell || !held.try_lock()) return {};
    wire::ReleasedT released;
    released.slot = slot;
    released.generation = generation;
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

Result<RegionId> ManagerClient::allocate(std::uint64_t size, const RegionOptions& options) {
    SHM_ASSIGN(const auto held, d_->lock());
    SHM_ASSIGN(auto answer, d_->ask_locked(to_wire(size, options)));
    const auto* granted = answer.reply.answer.AsGranted();
    if (!granted || !granted->id) return unexpected_answer();
    const auto id = from_wire(*granted->id);
    if (!d_->connection->lease().valid()) return id;  // nothing can be held
    SHM_ASSIGN(auto* entry, d_->install(answer, AccessMode::read_write));
    LeasePage::Take outcome{};
    answer.no_fork = {};  // it may be needed for the next answer
    if (entry) SHM_TRY(d_->take(*entry, id, AccessMode::read_write, outcome));
    if (outcome != LeasePage::Take::taken)
        SHM_TRY(d_->map_slowly(id, AccessMode::read_write, !entry));
    d_->cache.at(id).holds_allocation = true;
    return id;
}

Result<MappedRegion> ManagerClient::Private::map_slowly(const RegionId& id, AccessMode access,
                                                        bool handle) {
    for (int attempt = 0; attempt < kGrantAttempts; ++attempt) {
        wire::MapT call;
        call.id = std::make_unique<wire::RegionKey>(to_wire(id));
        call.access = static_cast<std::uint8_t>(access);
        call.handle = handle;
        SHM_ASSIGN(const auto answer, ask_locked(std::move(call)));
        SHM_ASSIGN(auto* entry, install(answer, access));
        handle = !entry;
        if (!entry) continue;
        LeasePage::Take outcome{};
        SHM_ASSIGN(const auto mapped, take(*entry, id, access, outcome));
        if (outcome == LeasePage::Take::taken) return mapped;
    }
    auto error = make_error(ErrorCode::mapping_failed,
                            fmt::format("{} is withdrawn again and again", id.str()),
                            "it is being cleaned up; allocate a new region");
    error.region_id = id.str();
    return fail(std::move(error));
}

Result<MappedRegion> ManagerClient::map(const RegionId& id, AccessMode access) {
    if (d_->connection->forked()) return fail(forked_error());
    LeasePage::Take outcome{};
    if (auto* entry = d_->cache.find(id)) {
        SHM_ASSIGN(const auto mapped, d_->take(*entry, id, access, outcome));
        if (outcome == LeasePage::Take::taken) return mapped;
    }
    SHM_ASSIGN(const auto held, d_->lock());
    if (auto* entry = d_->cache.find(id); entry && access == AccessMode::read_only) {
        SHM_TRY(d_->add_read_only(*entry));
        SHM_ASSIGN(const auto mapped, d_->take(*entry, id, access, outcome));
        if (outcome == LeasePage::Take::taken) return mapped;
    }
    return d_->map_slowly(id, access, false);
}

Result<bool> ManagerClient::seal(const RegionId& id) {
    SHM_ASSIGN(const auto held, d_->lock());
    auto* entry = d_->cache.find(id);
    // What we hold because we allocated it would keep it from being sealed; taken again afterwards.
    const bool holds = entry && std::exchange(entry->holds_allocation, false);
    if (holds) d_->connection->lease().give_back(entry->slot, entry->generation);
    wire::SealT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    auto answer = d_->ask_locked(std::move(call));
    if (answer) answer->no_fork = {};
    if (holds) {
        if (const auto mapped = d_->map_slowly(id, AccessMode::read_only, false))
            d_->cache.at(id).holds_allocation = true;
    }
    if (!answer) return fail(answer.error());
    const auto* done = answer->reply.answer.AsDone();
    if (!done) return unexpected_answer();
    return done->sealed;
}

Result<DefragmentResult> ManagerClient::defragment() {
    DefragmentResult result;
    for (;;) {
        SHM_ASSIGN(const auto answer, d_->ask(wire::DefragmentT{}));
        const auto* step = answer.reply.answer.AsDefragmented();
        if (!step) return unexpected_answer();
        result.moved += step->moved;
        result.bytes += step->bytes;
        result.in_use += step->in_use;
        result.arenas_returned += step->arenas_returned;
        if (!step->more) return result;
    }
}

Status ManagerClient::unmap(const MappedRegion& mapping) {
    if (d_->connection->forked()) return fail(forked_error());
    if (!mapping.data || mapping.slot >= layout::kMaxSlots)
        return fail(ErrorCode::invalid_argument, "this mapping is not one of this client's",
                    "unmap what map() returned, once");
    return d_->give_back(mapping.slot, mapping.generation, mapping.tell_release);
}

Result<bool> ManagerClient::deallocate(const RegionId& id, bool force) {
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
    {
        SHM_ASSIGN(const auto held, lock());
        auto* entry = cache.find(id);
        if (entry && entry->holds_allocation) {
            entry->holds_allocation = false;
            // Not told: the request that follows says it.
            connection->lease().give_back(entry->slot, entry->generation);
        }
    }
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    bool repeated = false;
    auto answer = ask(std::move(call), &repeated);
    if (!answer && repeated && answer.error().code == ErrorCode::region_not_found)
        return true;  // the first try did it
    if (!answer) return fail(std::move(answer).error());
    const auto* done = answer->reply.answer.AsDone();
    if (!done) return unexpected_answer();
    return done->gone;
}

Result<RegionInfo> ManagerClient::info(const RegionId& id) {
    wire::InfoT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    SHM_ASSIGN(const auto answer, d_->ask(std::move(call)));
    const auto* regions = answer.reply.answer.AsRegions();
    if (!regions || regions->regions.size() != 1 || !regions->regions.front())
        return unexpected_answer();
    auto info = from_wire(*regions->regions.front());
    if (const auto* entry = d_->cache.find(id))
        for (const auto& data : entry->data)
            if (auto* address = data.load(std::memory_order_relaxed))
                info.mapped_addresses.push_back(reinterpret_cast<std::uintptr_t>(address));
    return info;
}

Result<std::vector<RegionInfo>> ManagerClient::list(const std::string& filter) {
    std::vector<RegionInfo> out;
    for (std::uint32_t slot = 0;;) {
        wire::ListT call;
        call.filter = filter;
        call.from_slot = slot;
        SHM_ASSIGN(const auto answer, d_->ask(std::move(call)));
        const auto* page = answer.reply.answer.AsRegions();
        if (!page) return unexpected_answer();
        for (const auto& region : page->regions)
            if (region) out.push_back(from_wire(*region));
        if (!page->more) break;
        slot = page->next_slot;
    }
    std::sort(out.begin(), out.end(),
              [](const RegionInfo& a, const RegionInfo& b) { return a.id < b.id; });
    return out;
}

Result<CleanupResult> ManagerClient::cleanup(const CleanupRequest& request) {
    CleanupResult result;
    result.dry_run = request.dry_run;
    auto page_of = request;
    std::size_t named = 0;
    for (std::uint32_t slot = 0;;) {
        page_of.only.clear();
        for (; named < request.only.size() && page_of.only.size() < kMaxCleanupItems; ++named)
            page_of.only.push_back(request.only[named]);
        auto call = to_wire(page_of);
        call.from_slot = slot;
        SHM_ASSIGN(const auto answer, d_->ask(std::move(call)));
        const auto* page = answer.reply.answer.AsCleaned();
        if (!page) return unexpected_answer();
        add_from_wire(result, *page);
        if (request.only.empty() ? !page->more : named == request.only.size()) return result;
        slot = page->next_slot;
    }
}

Result<std::string> ManagerClient::restore(const RegionId& id) {
    wire::RestoreT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    bool repeated = false;
    auto answer = d_->ask(std::move(call), &repeated);
    if (!answer && repeated && answer.error().code == ErrorCode::invalid_argument)
        return std::string("restored before the manager was started again");
    if (!answer) return fail(std::move(answer).error());
    const auto* done = answer->reply.answer.AsDone();
    if (!done) return unexpected_answer();
    return done->note;
}

Status ManagerClient::announce(const std::string& worker, const std::string& pool,
                               const std::string& session) {
    wire::AnnounceT call;
    call.worker = worker.substr(0, kMaxNameBytes);
    call.pool = pool.substr(0, kMaxNameBytes);
    call.session = session.substr(0, kMaxNameBytes);
    SHM_TRY(d_->ask(std::move(call)));
    return {};
}

Result<std::string> ManagerClient::report(const std::string& topic) {
    wire::ReportT call;
    call.topic = topic;
    SHM_ASSIGN(const auto answer, d_->ask(std::move(call)));
    const auto* document = answer.reply.answer.AsDocument();
    if (!document) return unexpected_answer();
    return document->json;
}

Result<std::string> ManagerClient::reload_config() {
    SHM_ASSIGN(const auto answer, d_->ask(wire::ReloadConfigT{}));
    const auto* document = answer.reply.answer.AsDocument();
    if (!document) return unexpected_answer();
    return document->json;
}

std::uint64_t ManagerClient::references_held(const RegionId& id) const {
    const auto* entry = d_->cache.find(id);
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
