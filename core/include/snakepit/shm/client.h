// SPDX-License-Identifier: MIT
// Snakepit SHM for C++20: the C interface with owners instead of handles. Header-only; link
// libsnakepit_shm, and have tl/expected.hpp (Debian: libexpected-dev).
//
//     auto client = snakepit::Client::connect();
//     auto region = client->allocate(1 << 20);
//     auto memory = region->map_writable();      // std::span over the shared memory itself
//     std::ranges::fill(memory->as<float>(), 1.0F);
//
// Threads: as in the C interface; one object is used by one thread at a time, so give each thread a
// copy of the client. Lifetimes: a mapping and a lock keep the connection alive, so any order of
// destruction is right. Client::close() ends what other threads wait for. Errors: those of the C
// function that a member calls, listed in snakepit_shm.h.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "snakepit/shm/snakepit_shm.h"

namespace snakepit {

struct Error {
    snakepit_shm_status status = SNAKEPIT_SHM_OK;
    std::string message;  // a sentence: what failed, why, what to do

    std::string_view code() const { return snakepit_shm_status_name(status); }
    // The class of the code, as "type" in JSON.
    std::string_view type() const { return snakepit_shm_status_type(status); }
};

template <typename T>
using Result = tl::expected<T, Error>;

namespace detail {

using Handle = std::shared_ptr<snakepit_shm_client>;

// The error of the calling thread's last call.
inline tl::unexpected<Error> failure(snakepit_shm_status status) {
    return tl::unexpected<Error>({status, snakepit_shm_last_error()});
}

inline Result<void> checked(snakepit_shm_status status) {
    if (status != SNAKEPIT_SHM_OK) return failure(status);
    return {};
}

inline std::uint32_t millis(std::chrono::milliseconds timeout) {
    const bool forever = timeout.count() < 0 || timeout.count() >= SNAKEPIT_SHM_FOREVER;
    return forever ? SNAKEPIT_SHM_FOREVER : static_cast<std::uint32_t>(timeout.count());
}

}  // namespace detail

// One reference to a region and its memory; releases the reference when destroyed.
// Move-only. Spans of it are valid as long as it lives.
template <typename Byte>
class BasicMapping {
  public:
    BasicMapping(BasicMapping&& other) noexcept
        : client_(std::move(other.client_)), mapping_(std::exchange(other.mapping_, {})) {}
    BasicMapping& operator=(BasicMapping&& other) noexcept {
        if (this != &other) {
            static_cast<void>(unmap());
            client_ = std::move(other.client_);
            mapping_ = std::exchange(other.mapping_, {});
        }
        return *this;
    }
    ~BasicMapping() { static_cast<void>(unmap()); }

    // Empty after unmap().
    std::span<Byte> bytes() const { return {static_cast<Byte*>(mapping_.data), mapping_.size}; }
    // As many whole T as fit; regions start on a page, so they are aligned.
    template <typename T>
    auto as() const {
        static_assert(std::is_trivially_copyable_v<T>);
        using Element = std::conditional_t<std::is_const_v<Byte>, const T, T>;
        return std::span<Element>(static_cast<Element*>(mapping_.data), mapping_.size / sizeof(T));
    }

    // For an encrypted region, whose mapping is a private copy: writes the changes to the region,
    // or updates the copy with what others wrote. See snakepit_shm_flush. Nothing for other
    // regions.
    Result<void> flush() const {
        return detail::checked(snakepit_shm_flush(client_.get(), &mapping_));
    }
    Result<void> refresh() const {
        return detail::checked(snakepit_shm_refresh(client_.get(), &mapping_));
    }
    // The mapped region's id, for example of one that was opened by its name.
    Result<std::string> id() const {
        char text[SNAKEPIT_SHM_ID_SIZE];
        const auto status = snakepit_shm_mapping_id(client_.get(), &mapping_, text);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return std::string(text);
    }
    // Releases the reference before the destructor does, and reports whether the changes of an
    // encrypted region were written. SNAKEPIT_SHM_NOT_HELD cannot happen through this class.
    Result<void> unmap() {
        if (!client_) return {};
        const auto client = std::exchange(client_, nullptr);
        const auto status = snakepit_shm_unmap(client.get(), &mapping_);
        mapping_ = {};
        return detail::checked(status);
    }

  private:
    friend class Client;
    BasicMapping(detail::Handle client, snakepit_shm_mapping mapping)
        : client_(std::move(client)), mapping_(mapping) {}

    detail::Handle client_;  // null: unmapped
    snakepit_shm_mapping mapping_{};
};

using Mapping = BasicMapping<std::byte>;
using ConstMapping = BasicMapping<const std::byte>;

inline constexpr std::chrono::milliseconds kForever{-1};

// One level of a lock on a region; releases it when destroyed, on any thread. Move-only.
class Lock {
  public:
    Lock(Lock&& other) noexcept
        : client_(std::move(other.client_)), id_(std::move(other.id_)), token_(other.token_) {}
    Lock& operator=(Lock&& other) noexcept {
        if (this != &other) {
            static_cast<void>(unlock());
            client_ = std::move(other.client_);
            id_ = std::move(other.id_);
            token_ = other.token_;
        }
        return *this;
    }
    ~Lock() { static_cast<void>(unlock()); }

    // The last writer died while it held the lock: the region may be half written. Releasing a
    // write lock clears it.
    bool inconsistent() const { return (token_ & SNAKEPIT_SHM_TOKEN_INCONSISTENT) != 0; }
    // Former name of inconsistent(), for one release.
    bool suspect() const { return inconsistent(); }
    std::uint64_t token() const { return token_; }
    // SNAKEPIT_SHM_NOT_HELD if an operator released it meanwhile. SNAKEPIT_SHM_NO_MANAGER if no
    // manager responds: the next one is notified. May be called more than once.
    Result<void> unlock() {
        if (!client_) return {};
        const auto client = std::exchange(client_, nullptr);
        return detail::checked(snakepit_shm_unlock(client.get(), id_.c_str(), token_));
    }
    // Releases all levels, for an owner that has ended while this program goes on: if it wrote, the
    // next lock of the region, in any program, is inconsistent().
    Result<void> abandon() {
        if (!client_) return {};
        const auto client = std::exchange(client_, nullptr);
        return detail::checked(snakepit_shm_lock_abandon(client.get(), id_.c_str(), token_));
    }

  private:
    friend class Client;
    Lock(detail::Handle client, std::string id, std::uint64_t token)
        : client_(std::move(client)), id_(std::move(id)), token_(token) {}

    detail::Handle client_;  // null: released
    std::string id_;
    std::uint64_t token_ = 0;
};

// The end of a request of Client::lock_begin or of a wait of Client::wait_begin.
struct Event {
    snakepit_shm_event_kind kind = SNAKEPIT_SHM_EVENT_LOCK;
    std::uint64_t ticket = 0;  // used up
    std::string region_id;
    snakepit_shm_status status = SNAKEPIT_SHM_OK;
    std::optional<Lock> lock;   // of a granted lock
    std::uint64_t counter = 0;  // of a signal
};

struct RegionInfo {
    std::string id;
    std::uint64_t size = 0, actual_size = 0;  // bytes
    std::chrono::sys_time<std::chrono::microseconds> created_at, last_accessed;
    std::uint64_t access_count = 0, reference_count = 0;
    std::int64_t owner_pid = 0;
    std::uint32_t owner_uid = 0;
    snakepit_shm_security security_level = SNAKEPIT_SHM_STANDARD;
    snakepit_shm_cleanup_policy cleanup_policy = SNAKEPIT_SHM_AUTOMATIC;
    snakepit_shm_access access_mode = SNAKEPIT_SHM_READ_WRITE;
    std::chrono::milliseconds timeout{};  // zero: never
    std::string state;
    std::string name;                            // empty: none
    std::string metadata;                        // a JSON object, or empty
    std::string session, worker, owner_process;  // of the process that allocated it
    snakepit_shm_permission owner = SNAKEPIT_SHM_PERMIT_NONE, group = SNAKEPIT_SHM_PERMIT_NONE,
                            other = SNAKEPIT_SHM_PERMIT_NONE;
    snakepit_shm_placement placement = SNAKEPIT_SHM_PLACE_AUTOMATIC;
    snakepit_shm_owner_end owner_end = SNAKEPIT_SHM_OWNER_END_DEFAULT;
    bool sealed = false, durable = false, audit_access = false, inconsistent = false;
    bool has_policy = false, policy_in_effect = true;
    // The epoch: not in quarantine.
    std::chrono::sys_time<std::chrono::microseconds> quarantined_until;
    std::uint64_t holder_count = 0;         // processes that hold at least one reference
    std::vector<std::int64_t> holder_pids;  // at most SNAKEPIT_SHM_NAMED_HOLDERS of them
};

struct Options {
    // Unused for this long: freed; -1 the manager's default, 0 never.
    std::chrono::milliseconds timeout{-1};
    snakepit_shm_security security_level = SNAKEPIT_SHM_SECURITY_DEFAULT;
    snakepit_shm_access access_mode = SNAKEPIT_SHM_READ_WRITE;
    snakepit_shm_cleanup_policy cleanup_policy = SNAKEPIT_SHM_AUTOMATIC;
    snakepit_shm_placement placement = SNAKEPIT_SHM_PLACE_AUTOMATIC;
    snakepit_shm_permission owner = SNAKEPIT_SHM_PERMIT_READ_WRITE;
    snakepit_shm_permission group = SNAKEPIT_SHM_PERMIT_NONE;
    snakepit_shm_permission other = SNAKEPIT_SHM_PERMIT_NONE;
    std::string metadata;        // a JSON object, at most 1,000 bytes; empty for none
    bool owned_by_user = false;  // the user owns it, not this process: its exit makes no orphan
    bool durable = false;        // kept in the state directory; survives a reboot
    // False: read-write for the owner and nothing for others stands for the configured default.
    bool exact_permissions = false;
    std::string name;  // of the region, see snakepit_shm.h; empty: none
    // What the end of this process means; of no effect with `owned_by_user` and `durable`.
    snakepit_shm_owner_end owner_end = SNAKEPIT_SHM_OWNER_END_DEFAULT;
    bool audit_access = false;  // each access is recorded, or refused

    // As the C interface takes them; valid as long as these options.
    snakepit_shm_options raw() const {
        return {sizeof(snakepit_shm_options),
                timeout.count(),
                security_level,
                access_mode,
                cleanup_policy,
                placement,
                owner,
                group,
                other,
                metadata.empty() ? nullptr : metadata.c_str(),
                owned_by_user,
                durable,
                exact_permissions,
                name.empty() ? nullptr : name.c_str(),
                owner_end,
                audit_access};
    }
};

struct CleanupOptions {
    bool dry_run = false, orphans = false, expired = false, all_eligible = false;
    bool no_quarantine = false;   // free at once; it cannot be restored
    std::string session, worker;  // if not empty: only regions made in it, or by it
};

class Region;

// What Client::open returns.
template <typename Byte>
struct Opened {
    BasicMapping<Byte> mapping;
    bool created = false;  // by this call
};

// A connection to the manager. Copies share it; the last copy, region or mapping ends it.
class Client {
  public:
    // `instance` empty: $SNAKEPIT_SHM_INSTANCE, else "default". `wait`: how long this call, and
    // each later one without a timeout of its own, may wait for the manager; see
    // snakepit_shm_connect_within.
    static Result<Client> connect(const std::string& instance = {},
                                  std::chrono::milliseconds wait = std::chrono::seconds(10)) {
        snakepit_shm_client* raw = nullptr;
        const auto most = std::chrono::milliseconds(SNAKEPIT_SHM_FOREVER);
        const auto status = snakepit_shm_connect_within(
            instance.empty() ? nullptr : instance.c_str(),
            static_cast<std::uint32_t>(
                std::clamp(wait, std::chrono::milliseconds(0), most).count()),
            &raw);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Client(detail::Handle(raw, &snakepit_shm_disconnect));
    }

    // For this client and all its copies: ends running and later calls with
    // SNAKEPIT_SHM_CLIENT_CLOSED. Mappings and locks stay valid and release what they hold when
    // they are destroyed.
    void close() const { snakepit_shm_close(client_.get()); }

    Result<Region> allocate(std::uint64_t size, const Options& options = {}) const;

    Result<ConstMapping> map(const std::string& id) const {
        return map_as<const std::byte>(id, SNAKEPIT_SHM_READ_ONLY);
    }
    Result<Mapping> map_writable(const std::string& id) const {
        return map_as<std::byte>(id, SNAKEPIT_SHM_READ_WRITE);
    }

    // Maps the region of this name, or allocates it if there is none, in one step; see
    // snakepit_shm_open. SNAKEPIT_SHM_NAME_IN_USE: it has another size or other options.
    Result<Opened<std::byte>> open(const std::string& name, std::uint64_t size,
                                   const Options& options = {}) const {
        return open_as<std::byte>(name, size, options, SNAKEPIT_SHM_READ_WRITE);
    }
    Result<Opened<const std::byte>> open_read_only(const std::string& name, std::uint64_t size,
                                                   const Options& options = {}) const {
        return open_as<const std::byte>(name, size, options, SNAKEPIT_SHM_READ_ONLY);
    }

    // Copies `out.size()` bytes from `offset` (bytes), all of them or none; `write` likewise. Only
    // the touched chunks of an encrypted region are decrypted.
    Result<void> read(const std::string& id, std::uint64_t offset, std::span<std::byte> out) const {
        return detail::checked(
            snakepit_shm_read(client_.get(), id.c_str(), offset, out.data(), out.size()));
    }
    Result<void> write(const std::string& id, std::uint64_t offset,
                       std::span<const std::byte> bytes) const {
        return detail::checked(
            snakepit_shm_write(client_.get(), id.c_str(), offset, bytes.data(), bytes.size()));
    }
    // Encrypts the region again with a new key while programs use it.
    Result<void> rotate_key(const std::string& id) const {
        return detail::checked(snakepit_shm_rotate_key(client_.get(), id.c_str()));
    }
    // Makes the region immutable as soon as its last reference is released; see snakepit_shm_seal.
    Result<void> seal(const std::string& id) const {
        return detail::checked(snakepit_shm_seal(client_.get(), id.c_str()));
    }
    // The region that has this name now: NAME, or USER/NAME. Every member that takes an id takes a
    // name too, and asks for it each time.
    Result<Region> find(const std::string& name) const;
    // No process can find or map the region any more; its memory is freed with the last reference.
    Result<void> deallocate(const std::string& id) const {
        return detail::checked(snakepit_shm_deallocate(client_.get(), id.c_str()));
    }
    Result<RegionInfo> info(const std::string& id) const {
        snakepit_shm_region_info raw{};
        raw.struct_size = sizeof raw;
        const auto status = snakepit_shm_info(client_.get(), id.c_str(), &raw);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return describe(raw);
    }
    // Newest last. `filter` as in `snakepit-shm list`, such as "size>1MiB state:orphan".
    Result<std::vector<RegionInfo>> list(const std::string& filter = {}) const {
        std::vector<RegionInfo> found;
        const auto status = snakepit_shm_list(
            client_.get(), filter.empty() ? nullptr : filter.c_str(),
            [](const snakepit_shm_region_info* raw, void* out) {
                static_cast<std::vector<RegionInfo>*>(out)->push_back(describe(*raw));
                return true;
            },
            &found);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return found;
    }
    Result<snakepit_shm_cleanup_result> cleanup(const CleanupOptions& options = {}) const {
        const snakepit_shm_cleanup_options raw{sizeof raw,
                                               options.dry_run,
                                               options.orphans,
                                               options.expired,
                                               options.all_eligible,
                                               options.no_quarantine,
                                               options.session.c_str(),
                                               options.worker.c_str()};
        snakepit_shm_cleanup_result result{};
        const auto status = snakepit_shm_cleanup(client_.get(), &raw, &result);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return result;
    }
    // Shared with other readers, or exclusive (SNAKEPIT_SHM_READ_WRITE); see snakepit_shm_lock.
    // Waits at most `timeout` (zero: not at all). SNAKEPIT_SHM_TIMEOUT, SNAKEPIT_SHM_DEADLOCK.
    Result<Lock> lock(const std::string& id, snakepit_shm_access mode = SNAKEPIT_SHM_READ_WRITE,
                      std::chrono::milliseconds timeout = kForever) const {
        return lock_as(0, id, mode, timeout);
    }
    // The same for an owner that is not a thread; see snakepit_shm_lock_as.
    Result<Lock> lock_as(std::uint32_t owner, const std::string& id,
                         snakepit_shm_access mode = SNAKEPIT_SHM_READ_WRITE,
                         std::chrono::milliseconds timeout = kForever) const {
        std::uint64_t token = 0;
        const auto status = snakepit_shm_lock_as(client_.get(), id.c_str(), mode,
                                                 detail::millis(timeout), owner, &token);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Lock(client_, id, token);
    }
    // As map() and map_writable(), if no request is needed; else SNAKEPIT_SHM_NOT_CACHED, at once.
    Result<ConstMapping> map_cached(const std::string& id) const {
        return map_as<const std::byte>(id, SNAKEPIT_SHM_READ_ONLY, snakepit_shm_map_cached);
    }
    Result<Mapping> map_writable_cached(const std::string& id) const {
        return map_as<std::byte>(id, SNAKEPIT_SHM_READ_WRITE, snakepit_shm_map_cached);
    }
    // Adds 1 to the region's counter, and wakes all who wait for it; see
    // snakepit_shm_notify.
    Result<void> notify(const std::string& id) const {
        return detail::checked(snakepit_shm_notify(client_.get(), id.c_str()));
    }
    // Waits until the counter is not `since`, at most `timeout` (zero: not at all). Returns the
    // counter. SNAKEPIT_SHM_TIMEOUT, SNAKEPIT_SHM_REGION_NOT_FOUND when the region ends.
    Result<std::uint64_t> wait(const std::string& id, std::uint64_t since,
                               std::chrono::milliseconds timeout = kForever) const {
        std::uint64_t now = 0;
        const auto status =
            snakepit_shm_wait(client_.get(), id.c_str(), since, detail::millis(timeout), &now);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return now;
    }
    // The counter, to be passed to wait(). `timeout` limits the wait for the manager, if it must be
    // asked.
    Result<std::uint64_t> counter(
        const std::string& id, std::chrono::milliseconds timeout = std::chrono::seconds(10)) const {
        return wait(id, ~std::uint64_t{0}, timeout);  // a counter never has this value
    }
    // A wait without a thread; see snakepit_shm_wait_begin. Returns a ticket.
    Result<std::uint64_t> wait_begin(const std::string& id, std::uint64_t since) const {
        std::uint64_t ticket = 0;
        const auto status = snakepit_shm_wait_begin(client_.get(), id.c_str(), since, &ticket);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return ticket;
    }
    // A lock without a thread; `owner` is a number of at least 1 << 22. Returns a ticket.
    Result<std::uint64_t> lock_begin(const std::string& id, std::uint32_t owner,
                                     snakepit_shm_access mode = SNAKEPIT_SHM_READ_WRITE) const {
        std::uint64_t ticket = 0;
        const auto status =
            snakepit_shm_lock_begin(client_.get(), id.c_str(), mode, owner, &ticket);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return ticket;
    }
    Result<void> cancel(std::uint64_t ticket) const {
        return detail::checked(snakepit_shm_cancel(client_.get(), ticket));
    }
    // For poll() and event loops; see snakepit_shm_event_fd.
    Result<int> event_fd() const {
        const int descriptor = snakepit_shm_event_fd(client_.get());
        if (descriptor < 0) return detail::failure(SNAKEPIT_SHM_PLATFORM_ERROR);
        return descriptor;
    }
    // SNAKEPIT_SHM_NO_EVENT: nothing was decided yet.
    Result<Event> next_event() const {
        snakepit_shm_event raw{};
        raw.struct_size = sizeof raw;
        const auto status = snakepit_shm_next_event(client_.get(), &raw);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        std::optional<Lock> lock;
        if (raw.token != 0) lock = Lock(client_, raw.id, raw.token);
        return Event{raw.kind, raw.ticket, raw.id, raw.status, std::move(lock), raw.now};
    }
    // Names this process in lists, events and the monitor; an empty name changes nothing.
    Result<void> announce(const std::string& worker, const std::string& pool = {},
                          const std::string& session = {}) const {
        const auto or_null = [](const std::string& name) {
            return name.empty() ? nullptr : name.c_str();
        };
        return detail::checked(
            snakepit_shm_announce(client_.get(), or_null(worker), or_null(pool), or_null(session)));
    }
    // Requests sent to the manager so far; shows which calls needed none.
    std::uint64_t round_trips() const { return snakepit_shm_round_trips(client_.get()); }

  private:
    friend class Ring;
    explicit Client(detail::Handle client) : client_(std::move(client)) {}

    template <typename Byte>
    Result<BasicMapping<Byte>> map_as(const std::string& id, snakepit_shm_access access,
                                      decltype(snakepit_shm_map)* how = snakepit_shm_map) const {
        snakepit_shm_mapping mapping{};
        const auto status = how(client_.get(), id.c_str(), access, &mapping);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return BasicMapping<Byte>(client_, mapping);
    }
    template <typename Byte>
    Result<Opened<Byte>> open_as(const std::string& name, std::uint64_t size,
                                 const Options& options, snakepit_shm_access access) const {
        const auto raw = options.raw();
        snakepit_shm_mapping mapping{};
        bool created = false;
        const auto status =
            snakepit_shm_open(client_.get(), name.c_str(), size, &raw, access, &mapping, &created);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Opened<Byte>{BasicMapping<Byte>(client_, mapping), created};
    }
    static RegionInfo describe(const snakepit_shm_region_info& raw) {
        using Micros = std::chrono::microseconds;
        const auto time = [](std::int64_t micros) {
            return std::chrono::sys_time<Micros>(Micros(micros));
        };
        RegionInfo out;
        out.id = raw.id;
        out.size = raw.size;
        out.actual_size = raw.actual_size;
        out.created_at = time(raw.created_at);
        out.last_accessed = time(raw.last_accessed);
        out.access_count = raw.access_count;
        out.reference_count = raw.reference_count;
        out.owner_pid = raw.owner_pid;
        out.owner_uid = raw.owner_uid;
        out.security_level = raw.security_level;
        out.cleanup_policy = raw.cleanup_policy;
        out.access_mode = raw.access_mode;
        out.timeout = std::chrono::milliseconds(raw.timeout_ms);
        out.state = raw.state;
        out.name = raw.name;
        out.metadata = raw.metadata;
        out.session = raw.session;
        out.worker = raw.worker;
        out.owner_process = raw.owner_process;
        out.owner = raw.owner;
        out.group = raw.group;
        out.other = raw.other;
        out.placement = raw.placement;
        out.owner_end = raw.owner_end;
        out.sealed = raw.sealed;
        out.durable = raw.durable;
        out.audit_access = raw.audit_access;
        out.inconsistent = raw.inconsistent;
        out.has_policy = raw.has_policy;
        out.policy_in_effect = raw.policy_in_effect;
        out.quarantined_until = time(raw.quarantined_until);
        out.holder_count = raw.holder_count;
        const auto* end = std::find(std::begin(raw.holder_pids), std::end(raw.holder_pids), 0);
        out.holder_pids.assign(std::begin(raw.holder_pids), end);
        return out;
    }

    detail::Handle client_;
};

// A region by its id, with the client to reach it. Owns no memory: map it for that.
class Region {
  public:
    Region(Client client, std::string id) : client_(std::move(client)), id_(std::move(id)) {}

    const std::string& id() const { return id_; }
    Result<ConstMapping> map() const { return client_.map(id_); }
    Result<Mapping> map_writable() const { return client_.map_writable(id_); }
    Result<Lock> lock(snakepit_shm_access mode = SNAKEPIT_SHM_READ_WRITE,
                      std::chrono::milliseconds timeout = kForever) const {
        return client_.lock(id_, mode, timeout);
    }
    Result<void> notify() const { return client_.notify(id_); }
    Result<std::uint64_t> wait(std::uint64_t since,
                               std::chrono::milliseconds timeout = kForever) const {
        return client_.wait(id_, since, timeout);
    }
    Result<Lock> lock_as(std::uint32_t owner, snakepit_shm_access mode = SNAKEPIT_SHM_READ_WRITE,
                         std::chrono::milliseconds timeout = kForever) const {
        return client_.lock_as(owner, id_, mode, timeout);
    }
    Result<RegionInfo> info() const { return client_.info(id_); }
    Result<void> seal() const { return client_.seal(id_); }
    Result<void> deallocate() const { return client_.deallocate(id_); }

  private:
    Client client_;
    std::string id_;
};

inline Result<Region> Client::allocate(std::uint64_t size, const Options& options) const {
    const auto raw = options.raw();
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto status = snakepit_shm_allocate(client_.get(), size, &raw, id);
    if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
    return Region(*this, id);
}

inline Result<Region> Client::find(const std::string& name) const {
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto status = snakepit_shm_resolve(client_.get(), name.c_str(), id);
    if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
    return Region(*this, id);
}

}  // namespace snakepit
