// SPDX-License-Identifier: MIT
// A program's connection to the manager: the client half of everything. The C interface and the
// command line and the monitor are thin over this.
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
    std::string instance;     // empty: SNAKEPIT_SHM_INSTANCE, else "default"
    int timeout_ms = 10'000;  // longest any one call waits for the manager, reconnecting included
    bool lease = true;        // false: only asks and manages (no lease page; cannot map or hold)
    // Connecting waits some seconds for a manager in the place of one that ended.
    bool await_restart = false;
};

// Of a no_manager: one is there, but does not answer or accepts no connection.
inline bool is_unresponsive(const Error& error) {
    return error.code == ErrorCode::no_manager && error.system_error != 0;
}

// One reference to a region, mapped. Plain data: giving it back is unmap()'s business.
struct MappedRegion {
    std::byte* data = nullptr;
    std::uint64_t size = 0;
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    AccessMode access = AccessMode::read_write;
    bool tell_release = false;  // the region may end with our last reference
    bool audited = false;       // the grant goes back with our last reference
    // Above standard: `data` is a private copy in the clear, and not the region itself.
    SecurityLevel level = SecurityLevel::standard;
    bool timed = false;  // so is its unmap

    bool plain() const { return !audited && level == SecurityLevel::standard; }
};

struct LockGrant {
    std::uint64_t token = 0;  // 63 bits
    // A writer died in its lock and no writer has given one back since: the region may be half
    // written. It is acknowledged by giving a write lock back.
    bool inconsistent = false;
};

// Thread-safe. Every call may block on the manager except map() of a region this client has been
// granted before, and unmap(), which need neither the manager nor a system call.
// A manager that was killed and restarted is reconnected to within the call that needs it.
// In a forked child every call fails with `forked`: connect again there.
// A manager that lost its registry does not know our regions any more: every call then fails with
// `registry_lost`, what is mapped stays readable, and a new client has to be connected.
// A call has one deadline from its beginning, which covers other threads' calls, connecting and the
// answer: no_manager when that does not come in time.
class ManagerClient {
  public:
    // no_manager when nobody serves the instance.
    static Result<std::unique_ptr<ManagerClient>> connect(const ConnectOptions& options = {});
    ~ManagerClient();
    ManagerClient(const ManagerClient&) = delete;
    ManagerClient& operator=(const ManagerClient&) = delete;

    // Any thread: ends the calls that wait for something, and every later one that asks the
    // manager, with client_closed. What is mapped stays so, and can be given back, locks as well.
    void close();
    // In a copy that a forked child got.
    bool forked() const;

    // The new region holds one reference of ours until deallocate() or the end of this client.
    Result<RegionId> allocate(std::uint64_t size, const RegionOptions& options = {});
    Result<MappedRegion> map(const RegionId& id, AccessMode access);
    // not_held when the reference was given back already. An encrypted region that was mapped for
    // writing is flushed first; when that fails the error says so, and what was not written is
    // lost: flush() can be tried again, this not.
    Status unmap(const MappedRegion& mapping);
    // Copies part of a region, all of it or none. Of an encrypted region only the chunks that it
    // touches are decrypted, or encrypted and committed together.
    Status read(const RegionId& id, std::uint64_t offset, std::span<std::byte> out);
    Status write(const RegionId& id, std::uint64_t offset, std::span<const std::byte> bytes);
    // Of an encrypted region that is mapped: writes back what was changed here (flush), or brings
    // in what others wrote and is unchanged here (refresh). Nothing is to be done for another.
    Status flush(const MappedRegion& mapping);
    Status refresh(const MappedRegion& mapping);
    // Encrypts the region anew under a key of its own; programs that use it need not stop. The
    // number of the new key.
    Result<std::uint32_t> rotate_key(const RegionId& id);
    // Withdraws the region; its memory goes when the last reference does. True: it is gone already.
    Result<bool> deallocate(const RegionId& id, bool force = false);
    // Makes it immutable. True: it is. False: it will be once nobody holds it; from now on nobody
    // can map it for writing. What this client has mapped keeps it from being sealed: unmap it
    // first.
    Result<bool> seal(const RegionId& id);
    // Administrators: moves idle regions together, so that memory in one piece becomes free.
    Result<DefragmentResult> defragment();
    // Deallocates it so that it can be restored for the configured time; region_in_use when others
    // hold it. True: the configuration has no quarantine, so it is gone already.
    Result<bool> quarantine(const RegionId& id);
    // Takes it out of quarantine. The answer says what becomes of it next.
    Result<std::string> restore(const RegionId& id);
    Result<RegionInfo> info(const RegionId& id);
    // `filter` as in base/filter.h. Newest last.
    Result<std::vector<RegionInfo>> list(const std::string& filter = {});
    Result<CleanupResult> cleanup(const CleanupRequest& request);
    // Names this client for people: worker, pool, session; each at most kMaxNameBytes.
    Status announce(const std::string& worker, const std::string& pool, const std::string& session);

    // Locks the region: shared with other readers, or alone (`read_write`). Waits at most
    // `timeout_ms` (0: not at all; kLockForever), in the order of asking, with this client free for
    // its other threads. The lock belongs to the calling thread: it is granted again at once, one
    // level deeper, and a wait that would close a circle is refused.
    // timeout, deadlock (the message names the circle), or what map() would say.
    Result<LockGrant> lock(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms);
    // Gives one level back, on any thread; not_held when this client has no such lock. When no
    // manager answers the level is given back to the next one that this client reaches.
    Status unlock(const RegionId& id, std::uint64_t token);
    // A lock that is waited for in slices, under a ticket of this client's. `owner` 0: the calling
    // thread, which asks and waits itself; else a number from kFirstOwner on.
    Result<std::uint64_t> lock_begin(const RegionId& id, AccessMode mode, std::uint32_t owner);
    // Nothing: still waiting, after `timeout_ms` or sooner, such as when a signal was handled.
    // Otherwise the ticket is used up. One thread at a time.
    Result<std::optional<LockGrant>> lock_wait(std::uint64_t ticket, std::uint32_t timeout_ms);
    // Gives up; what was granted meanwhile is given back. not_held: no such ticket.
    Status lock_cancel(std::uint64_t ticket);
    // Regions that are locked, and by whom; `filter` as in list().
    Result<std::vector<RegionLocks>> locks(const std::string& filter = {});
    // Administrators: takes the lock with this token (0: all) from its holder.
    Result<RegionLocks> release_locks(const RegionId& id, std::uint64_t token);

    // What the region's policy is, who may open it and everything else it takes to decide about it
    // elsewhere: JSON, for parse_policy_report() in security/policy_text.h. Its owner, who may
    // manage it, operators. Without an id: the policy of regions that are allocated without one.
    Result<std::string> policy(const std::optional<RegionId>& id = {});
    // `json`: the new policy, whole. Answers what policy() does. policy_invalid with what is wrong
    // and where; encryption_required.
    Result<std::string> set_policy(const RegionId& id, const std::string& json);

    // A JSON document about the manager: "status", "config", "stats", "health", "clients".
    Result<std::string> report(const std::string& topic);
    // JSON: {"needs_restart": [...]}.
    Result<std::string> reload_config();

    // What fires, what fired, and the rules; JSON both ways, see alerts/alert_api.h for the
    // actions and what they take. Looking and answering is for operators, rules for administrators.
    Result<std::string> alerts(const std::string& action, const std::string& arguments = "{}");

    // References this client holds to the region now; 0 when it holds none or does not know it.
    std::uint64_t references_held(const RegionId& id) const;
    // Requests sent to the manager so far: shows what needed no round trip.
    std::uint64_t round_trips() const;
    const InstancePaths& paths() const;

  private:
    class Private;
    explicit ManagerClient(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
