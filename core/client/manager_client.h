// SPDX-License-Identifier: MIT
// A program's connection to the manager. The C interface, the command line and the monitor are thin
// layers over it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/paths.h"
#include "base/region.h"
#include "base/result.h"

namespace snakepit::shm {

struct ConnectOptions {
    std::string instance;  // empty: SNAKEPIT_SHM_INSTANCE, else "default"
    int timeout_ms =
        10'000;  // the longest time a call waits for the manager, including reconnecting
    bool lease =
        true;  // false: only queries and administration (no lease page; cannot map or hold regions)
    // Connecting waits some seconds for the successor of a manager that ended.
    bool await_restart = false;
};

// For no_manager: a manager exists, but does not respond or accept connections.
inline bool is_unresponsive(const Error& error) {
    return error.code == ErrorCode::no_manager && error.system_error != 0;
}

// One mapped reference to a region. Plain data: call unmap() to release it.
struct MappedRegion {
    std::byte* data = nullptr;
    std::uint64_t size = 0;
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    AccessMode access = AccessMode::read_write;
    bool tell_release = false;  // the region may end with our last reference
    bool audited = false;       // the grant ends with our last reference
    // Above standard: `data` is a private decrypted copy, not the region itself.
    SecurityLevel level = SecurityLevel::standard;
    bool timed = false;  // its unmap is timed too

    bool plain() const { return !audited && level == SecurityLevel::standard; }
};

struct OpenedRegion {
    MappedRegion mapping;
    bool created = false;
};

struct LockGrant {
    std::uint64_t token = 0;  // 63 bits
    // A writer died in its lock and no writer has released one since: the region may be half
    // written. Releasing a write lock acknowledges it.
    bool inconsistent = false;
};

// A lock request or a wait for a signal that was decided.
struct ClientEvent {
    enum class Kind : std::uint8_t { lock = 1, signal = 2 };
    Kind kind = Kind::lock;
    std::uint64_t ticket = 0;  // used up
    RegionId id;
    std::optional<LockGrant> granted;  // of a lock
    std::uint64_t now = 0;             // of a signal: the counter
    ErrorCode code{};                  // zero, or why it ended
};

// Thread-safe. Every call may block on the manager, except map() of a region this client was
// granted before, and unmap(): these need neither the manager nor a system call. After a restart of
// the manager the next call reconnects. A forked child inherits the mapped regions (Inheritance)
// and can unmap them; every other call fails there with `forked`: connect again. If the manager
// lost its registry, every call fails with `registry_lost`: mapped memory stays readable, and a new
// client must be connected. A call has one deadline from its start, which covers other threads'
// calls, connecting and the answer: no_manager if it passes.
class ManagerClient {
  public:
    // no_manager if no manager serves the instance.
    static Result<std::unique_ptr<ManagerClient>> connect(const ConnectOptions& options = {});
    ~ManagerClient();
    ManagerClient(const ManagerClient&) = delete;
    ManagerClient& operator=(const ManagerClient&) = delete;

    // Any thread: ends waiting calls, and every later call that needs the manager, with
    // client_closed. Mappings stay valid; mappings and locks can still be released.
    void close();
    // In a forked child's copy.
    bool forked() const;
    // There: releases and unmaps all regions that the child inherited.
    void end_inheritance();

    // This client holds one reference to the new region until deallocate() or its own end.
    Result<RegionId> allocate(std::uint64_t size, const RegionOptions& options = {});
    // The region that `word` is the id of, which needs no manager, or that has it as its name:
    // NAME, or USER/NAME for another user's. It may end, and its name be given to another, at any
    // time. invalid_region_id, region_not_found.
    Result<RegionId> resolve(const std::string& word);
    Result<MappedRegion> map(const RegionId& id, AccessMode access);
    // Maps the region with this name; if there is none, allocates and maps it, in one step. The
    // mapping is its only reference. name_in_use: it has another size or other options.
    Result<OpenedRegion> open(const std::string& name, std::uint64_t size,
                              const RegionOptions& options, AccessMode access);
    // The region that this client has mapped there.
    Result<RegionId> region_of(const MappedRegion& mapping);
    // The same if it needs no request and no waiting; else not_cached.
    Result<MappedRegion> map_cached(const RegionId& id, AccessMode access);
    // not_held if the reference was already released. An encrypted region mapped for writing is
    // flushed first. If flushing fails, the unwritten changes are lost: call flush() first, which
    // can be repeated.
    Status unmap(const MappedRegion& mapping);
    // Copies part of a region, completely or not at all. In an encrypted region only the affected
    // chunks are decrypted, or encrypted and committed together.
    Status read(const RegionId& id, std::uint64_t offset, std::span<std::byte> out);
    Status write(const RegionId& id, std::uint64_t offset, std::span<const std::byte> bytes);
    // For a mapped encrypted region: writes local changes back (flush), or loads what other
    // processes wrote into parts unchanged here (refresh). Without effect on other regions.
    Status flush(const MappedRegion& mapping);
    Status refresh(const MappedRegion& mapping);
    // Encrypts the region again under a new key; programs that use it need not stop. Returns the
    // number of the new key.
    Result<std::uint32_t> rotate_key(const RegionId& id);
    // Withdraws the region; its memory is freed with the last reference. True: it was freed
    // already.
    Result<bool> deallocate(const RegionId& id, bool force = false);
    // Makes it immutable. True: it is sealed. False: it will be sealed when its last reference is
    // released; from now on it cannot be mapped for writing. This client's own mappings delay it
    // too: unmap them first.
    Result<bool> seal(const RegionId& id);
    // Administrators: moves idle regions together to free contiguous memory.
    Result<DefragmentResult> defragment();
    // Deallocates it so that it can be restored for the configured time; region_in_use if others
    // hold it. True: quarantine is not configured, so it was freed.
    Result<bool> quarantine(const RegionId& id);
    // Takes it out of quarantine. The answer says what happens to it next.
    Result<std::string> restore(const RegionId& id);
    Result<RegionInfo> info(const RegionId& id);
    // Whether the region is live and its owner runs. Waits for the manager until `until`, monotonic
    // nanoseconds.
    Result<bool> exists(const RegionId& id, std::int64_t until);
    // `filter` as in base/filter.h. Newest last.
    Result<std::vector<RegionInfo>> list(const std::string& filter = {});
    Result<CleanupResult> cleanup(const CleanupRequest& request);
    // Names this client for people: worker, pool, session; each at most kMaxNameBytes.
    Status announce(const std::string& worker, const std::string& pool, const std::string& session);

    // Locks the region, shared with other readers or exclusively (`read_write`). Waits at most
    // `timeout_ms` (0: not at all; kLockForever), in request order; other threads can use this
    // client meanwhile. The lock belongs to `owner`: 0 is the calling thread, other numbers are at
    // least kFirstOwner (base/lock_owner.h). A nested request of the same owner is granted at once,
    // one level deeper; a wait that would close a cycle is refused. Errors: timeout, deadlock (the
    // message names the cycle), or those of map().
    Result<LockGrant> lock(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms,
                           std::uint32_t owner = 0);
    // Releases one level, on any thread; not_held if this client does not hold the lock. If no
    // manager responds, the release is sent to the next one that this client reaches.
    Status unlock(const RegionId& id, std::uint64_t token);
    // Releases all levels for an owner that has ended, as the end of this process would: if it
    // wrote, the region is inconsistent. Errors as unlock().
    Status abandon(const RegionId& id, std::uint64_t token);
    // The region that this client has locked with this token.
    std::optional<RegionId> locked_with(std::uint64_t token) const;
    // A lock that is waited for in slices, with a ticket. `owner` as for lock(); a thread must
    // also wait itself.
    Result<std::uint64_t> lock_begin(const RegionId& id, AccessMode mode, std::uint32_t owner);
    // Empty: still waiting, after `timeout_ms` or earlier, for example when a signal was handled.
    // Otherwise the ticket is used up. One thread at a time.
    Result<std::optional<LockGrant>> lock_wait(std::uint64_t ticket, std::uint32_t timeout_ms);
    // Cancels the wait; a lock granted meanwhile is released. not_held: unknown ticket.
    Status lock_cancel(std::uint64_t ticket);
    // A region's signal: a counter of 62 bits that everybody who may map the region may count on.
    // Needs no request after the first use of the region, except for audited regions, and no system
    // call while nobody waits.
    Status notify(const RegionId& id);
    // Waits until the counter is not `since`, for at most `timeout_ms` (0: not at all;
    // kLockForever). Returns the counter; empty: it is still `since`. Holds no reference:
    // region_not_found when the region ends meanwhile.
    Result<std::optional<std::uint64_t>> wait(const RegionId& id, std::uint64_t since,
                                              std::uint32_t timeout_ms);

    // A descriptor that is readable while next_event() has something to do: for what lock_begin()
    // and wait_begin() began. Of this client; it stays the same.
    Result<int> event_fd();
    // Empty: nothing was decided yet.
    Result<std::optional<ClientEvent>> next_event();
    // wait() with a ticket: ends with an event, or with lock_cancel().
    Result<std::uint64_t> wait_begin(const RegionId& id, std::uint64_t since);

    // Locked regions with their holders; `filter` as in list().
    Result<std::vector<RegionLocks>> locks(const std::string& filter = {});
    // Administrators: revokes the lock with this token (0: all).
    Result<RegionLocks> release_locks(const RegionId& id, std::uint64_t token);

    // The region's policy and all facts needed to evaluate it in another process, as JSON for
    // parse_policy_report() in security/policy_text.h. For its owner, those who may manage it, and
    // operators. Without an id: the policy of regions that are allocated without one.
    Result<std::string> policy(const std::optional<RegionId>& id = {});
    // `json`: the complete new policy. Returns the same as policy(). Errors: policy_invalid, with
    // what is wrong and where; encryption_required.
    Result<std::string> set_policy(const RegionId& id, const std::string& json);

    // A JSON document about the manager: "status", "config", "stats", "health", "clients".
    Result<std::string> report(const std::string& topic);
    // JSON: {"needs_restart": [...]}.
    Result<std::string> reload_config();

    // What fires, what fired, and the rules; JSON both ways, see alerts/alert_api.h for the
    // actions and what they take. Looking and answering is for operators, rules for administrators.
    Result<std::string> alerts(const std::string& action, const std::string& arguments = "{}");

    // This client's current references to the region; 0 also for an unknown region.
    std::uint64_t references_held(const RegionId& id) const;
    // Number of requests sent to the manager so far.
    std::uint64_t round_trips() const;
    const InstancePaths& paths() const;

  private:
    class Private;
    explicit ManagerClient(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
