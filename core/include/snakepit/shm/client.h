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
#include <memory>
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

  private:
    friend class Client;
    Lock(detail::Handle client, std::string id, std::uint64_t token)
        : client_(std::move(client)), id_(std::move(id)), token_(token) {}

    detail::Handle client_;  // null: released
    std::string id_;
    std::uint64_t token_ = 0;
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
};

struct CleanupOptions {
    bool dry_run = false, orphans = false, expired = false, all_eligible = false;
    bool no_quarantine = false;   // free at once; it cannot be restored
    std::string session, worker;  // if not empty: only regions made in it, or by it
};

class Region;

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
        const bool forever = timeout.count() < 0 || timeout.count() >= SNAKEPIT_SHM_FOREVER;
        std::uint64_t token = 0;
        const auto status = snakepit_shm_lock_as(
            client_.get(), id.c_str(), mode,
            forever ? SNAKEPIT_SHM_FOREVER : static_cast<std::uint32_t>(timeout.count()), owner,
            &token);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Lock(client_, id, token);
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
    explicit Client(detail::Handle client) : client_(std::move(client)) {}

    template <typename Byte>
    Result<BasicMapping<Byte>> map_as(const std::string& id, snakepit_shm_access access) const {
        snakepit_shm_mapping mapping{};
        const auto status = snakepit_shm_map(client_.get(), id.c_str(), access, &mapping);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return BasicMapping<Byte>(client_, mapping);
    }
    static RegionInfo describe(const snakepit_shm_region_info& raw) {
        using Micros = std::chrono::microseconds;
        return {raw.id,
                raw.size,
                raw.actual_size,
                std::chrono::sys_time<Micros>(Micros(raw.created_at)),
                std::chrono::sys_time<Micros>(Micros(raw.last_accessed)),
                raw.access_count,
                raw.reference_count,
                raw.owner_pid,
                raw.owner_uid,
                raw.security_level,
                raw.cleanup_policy,
                raw.access_mode,
                std::chrono::milliseconds(raw.timeout_ms),
                raw.state};
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
    const snakepit_shm_options raw{sizeof raw,
                                   options.timeout.count(),
                                   options.security_level,
                                   options.access_mode,
                                   options.cleanup_policy,
                                   options.placement,
                                   options.owner,
                                   options.group,
                                   options.other,
                                   options.metadata.empty() ? nullptr : options.metadata.c_str(),
                                   options.owned_by_user,
                                   options.durable,
                                   options.exact_permissions};
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto status = snakepit_shm_allocate(client_.get(), size, &raw, id);
    if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
    return Region(*this, id);
}

}  // namespace snakepit
