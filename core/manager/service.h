// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "manager/access_audit.h"
#include "manager/caller.h"
#include "manager/config.h"
#include "manager/error_manager.h"
#include "manager/pass.h"
#include "manager/refusal_log.h"
#include "manager/seal_desk.h"
#include "manager/service_figures.h"
#include "manager/service_policies.h"
#include "memory/allocator.h"
#include "memory/cleaner.h"
#include "memory/synchronizer.h"
#include "platform/backend.h"
#include "registry/grant_table.h"
#include "registry/reference_counter.h"
#include "registry/region_registry.h"
#include "security/security_controller.h"

namespace snakepit::shm {

// What a client needs to map a region.
struct Grant {
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    RegionId id;
    std::uint64_t size = 0;
    std::uint64_t arena = 0;  // 0: it has a segment of its own
    std::uint64_t offset = 0;
    std::uint64_t segment_size = 0;
    AccessMode access = AccessMode::read_only;
    bool tell_release = false;  // the region may end with this client's last reference
    bool audited = false;       // the grant ends with it
    // Invalid for a caller without a lease page, and for one that was handed the arena before.
    Handle handle;
    SecurityLevel level = SecurityLevel::standard;
    // Nothing is granted yet: the client reserves the memory of the segment first.
    bool reserve = false;
};

// What one step of a defragmentation did.
struct DefragmentStep {
    std::uint64_t moved = 0, bytes = 0;
    std::uint64_t in_use = 0;  // regions that are held and stay where they are
    std::uint64_t arenas_returned = 0;
    bool more = false;  // the pass is not over
};

struct LockCall {
    RegionId id;
    AccessMode mode = AccessMode::read_only;  // read_write: alone
    std::uint32_t timeout_ms = 0;             // 0: do not wait; kLockForever
    std::uint32_t thread = 0;                 // of the caller, who waits for one thing at a time
    std::uint32_t request = 0;                // the caller's own number for it, never 0
};

struct LockReply {
    LockState state = LockState::unknown;  // granted, queued, timed_out or unknown
    std::uint64_t token = 0;
    std::uint64_t ticket = 0;
    bool inconsistent = false;  // a writer died in its lock, and no writer has given one back since
};

// Everything the manager does with regions and clients, without sockets or threads: the server
// feeds it, unit tests drive it. Service thread only; `run_long` is how it leaves that thread.
class Service {
  public:
    // Runs `work` somewhere else, and `then` on the service thread afterwards.
    using RunLong = std::function<void(std::function<void()> work, std::function<void()> then)>;

    Service(const InstancePaths& paths, std::unique_ptr<RegionRegistry> registry, GrantTable grants,
            LockTable locks, PlatformBackend& backend, RunLong run_long);

    void configure(const Config& config);
    // Adopts what an earlier manager left: clients that live, regions that stand; finishes or
    // undoes what it was killed in. Can itself be killed and run again at any point.
    // An error, with nothing changed that counts, when memory that is there cannot be had: no
    // descriptors, no address space.
    Status recover();

    // ---- clients
    Result<std::uint32_t> connect_client(const ClientIdentity& identity);
    // The client whose token it is, if it is the same process.
    Result<std::uint32_t> resume_client(const SessionToken& token, const ClientIdentity& identity);
    void client_disconnected(std::uint32_t client);
    // Asks the kernel; true when it was gone and everything of it has been dropped.
    bool bury_if_gone(std::uint32_t client);
    Status announce(const Caller& caller, std::string_view worker, std::string_view pool,
                    std::string_view session);
    const layout::ClientRecord& client(std::uint32_t index) const { return grants_.record(index); }
    Result<Handle> liveness_lock(std::uint32_t client) const {
        return counter_.liveness_lock(client);
    }
    std::vector<std::uint32_t> clients() const { return counter_.clients(); }

    // ---- the Manager's operations
    // `can_reserve`: the client reserves the memory of a segment of its own itself, so that its own
    // control group is charged for it; the answer may tell it to (Grant::reserve).
    void allocate(const Caller& caller, std::uint64_t request_id, std::uint64_t size,
                  RegionOptions options, std::function<void(Result<Grant>)> done,
                  bool can_reserve = false);
    // The client did. region_not_found when the manager knows nothing of it any more.
    void reserved(const Caller& caller, std::uint64_t request_id,
                  std::function<void(Result<Grant>)> done);
    // Whatever this request made or is making is wanted by nobody.
    void cancel_allocation(const Caller& caller, std::uint64_t request_id);
    // The connection ended before its client could show that it had the answer: the region goes
    // unless somebody used it.
    void drop_unclaimed(std::uint32_t slot, std::uint64_t generation);
    // `handle`: with the segment's handle also if the caller was handed it before.
    Result<Grant> map(const Caller& caller, const RegionId& id, AccessMode access,
                      bool handle = false);
    // True: it is gone. False: withdrawn, and goes with its last reference. With `force` the memory
    // of a region that is still held is overwritten with zeros and taken out of circulation.
    Result<bool> deallocate(const Caller& caller, const RegionId& id, bool force);
    // Makes it immutable. True: it is. False: it will be as soon as nobody holds it; nobody can map
    // it for writing until then.
    void seal(const Caller& caller, const RegionId& id, std::function<void(Result<bool>)> done);
    // One step of moving idle regions together, of all tenants; the first of a pass makes the plan.
    DefragmentStep defragment();
    // A region that is being moved cannot be mapped, changed or deallocated for a moment.
    bool moving(const RegionId& id) const;
    void when_settled(const RegionId& id, std::function<void()> then);  // moving(id)
    // Deallocates it, for the configured time so that it can be restored: false. True: none is
    // configured, it is gone. region_in_use when somebody holds it.
    Result<bool> quarantine(const Caller& caller, const RegionId& id);
    // QUARANTINED -> LIVE, as if it had just been used. What becomes of it next.
    Result<std::string> restore(const Caller& caller, const RegionId& id);
    Result<RegionInfo> info(const Caller& caller, const RegionId& id);
    // Up to `bytes` worth of regions from `slot` on; `slot` moves on, and to the frontier at the
    // end.
    Result<std::vector<RegionInfo>> list(const Caller& caller, std::string_view filter,
                                         std::uint32_t& slot, std::size_t bytes);
    // Looks at regions from `slot` on until it has `most` items or its turn is over; `slot` moves
    // on, and to the frontier at the end. What goes is quarantined if the configuration says so.
    Result<CleanupResult> cleanup(const Caller& caller, const CleanupRequest& request,
                                  std::uint32_t& slot, std::size_t most);

    // ---- locks (service_locks.cpp)
    // Whoever may map a region may lock it so. `queued`: the client's word in its lease page counts
    // on when something was decided, and lock_wait says what; the answer to a call that is made
    // again is the answer to the first. A held lock counts as a reference.
    Result<LockReply> lock(const Caller& caller, const LockCall& call);
    Result<LockReply> lock_wait(const Caller& caller, std::uint64_t ticket);
    // For who has waited long enough: granted after all, or timed_out.
    Result<LockReply> lock_cancel(const Caller& caller, std::uint64_t ticket);
    void lock_request_cancel(const Caller& caller, const RegionId& id, std::uint32_t thread,
                             std::uint32_t request);
    // One level of the lock; not_held when the token is not one of this client's.
    Status unlock(const Caller& caller, const RegionId& id, std::uint64_t token,
                  std::uint32_t request);
    // Regions that are locked, paged like list().
    Result<std::vector<RegionLocks>> locks(const Caller& caller, std::string_view filter,
                                           std::uint32_t& slot, std::size_t bytes);
    // Administrators: takes one lock (`token` 0: all of the region) from its holder and tells whose
    // it was. A region taken from a writer is inconsistent.
    Result<RegionLocks> release_locks(const Caller& caller, const RegionId& id,
                                      std::uint64_t token);

    // ---- time
    // `at`: the instance's clock (RegionRegistry::time).
    // A reference went that may have been the last. Whoever says so is not believed: it is counted.
    void released(std::uint32_t slot, std::uint64_t generation);
    // Reads changed lease pages and does what is due. Call about four times a second. True: there
    // is more to do than fits a turn of the loop; call proceed() soon.
    bool tick(std::int64_t at);
    bool proceed(std::int64_t at);  // the next part of that work; true: there is still more
    // For a stop in good order: nothing new is begun beside the operations, and then what nobody
    // needs does not stay behind.
    void stop_background() { stopping_ = true; }
    void return_memory() { allocator_.pool.return_empty(registry_->time(), 0); }
    // No region, and no segment of this registry is left.
    bool owns_nothing();
    // Looks at every region again, due or not, in one go.
    void evaluate_all();
    // Looks for damage from the beginning, as much as fits a turn; the rest follows by itself.
    const HealthState& check_now();
    const HealthState& health() const { return health_; }
    std::vector<std::uint32_t> regions_in(std::uint64_t arena) const;

    // Asked when an allocation finds no room: gives memory of ours back to the system. True: there
    // is some, and it is worth one more try.
    std::function<bool()> make_room = [this] { return allocator_.pool.make_room() > 0; };

    ServiceTotals totals() const {
        return {registry_->totals(), figures_.counters, errors_.total()};
    }
    ServiceFigures& figures() { return figures_; }
    const InstancePaths& paths() const { return paths_; }
    RegionRegistry& registry() { return *registry_; }
    ReferenceCounter& counter() { return counter_; }
    const Synchronizer& synchronizer() const { return synchronizer_; }
    Allocator& allocator() { return allocator_; }
    PlatformBackend& backend() { return backend_; }
    SecurityController& security() { return security_; }
    ServicePolicies& policies() { return policies_; }
    SealDesk& seals() { return seals_; }
    AccessAudit& access_audit() { return access_audit_; }
    // Regions whose memory could not be given back, each with what to do about it.
    const std::unordered_map<std::uint32_t, Error>& stuck() const { return stuck_; }
    // What is known to be wrong with damaged regions.
    const std::unordered_map<std::uint32_t, std::string>& faults() const { return faults_; }
    ErrorManager& errors() { return errors_; }
    // Of a flood by one user only some become events of their own; see RefusalLog.
    void record_refusal(const Event& event);
    std::function<void(const std::string&)> alarm;  // as in ManagerOptions; may be empty
    std::string own_mark;                           // OwnershipMark::name(); before recover()
    // Moments kept at which a region has to be looked at again.
    std::size_t deadlines() const { return due_.size(); }

  private:
    friend class ServicePolicies;
    friend class SealDesk;
    struct Due {
        std::int64_t at;
        std::uint32_t slot;
        std::uint64_t generation;
        friend bool operator>(const Due& a, const Due& b) { return a.at > b.at; }
    };
    struct Notes {  // private, about a slot; worthless after a restart
        std::int64_t next_due = 0;
        std::int64_t recorded_at = 0;  // last `references` event, on the boot-time clock
        bool pending_record = false;
        bool untouched = false;  // nobody was ever granted it: still all zero
    };

    struct Allocation {  // a region on its way from the request to the answer
        Caller caller;
        PendingAllocation making;
        RegionOptions options;
        std::function<void(Result<Grant>)> done;
        Stopwatch watch;
        std::optional<Policy> policy;  // if it is more than permissions
        Status made = {};
        bool tried_again = false;
        std::int64_t lapses = 0;  // the client reserves its pages until then (boot_micros)
        bool cancelled = false;   // nobody waits for it any more
    };
    struct Move {  // a region on its way to another place
        std::uint32_t slot;
        layout::Control before;
        PendingAllocation from, to;
        std::string reason;
        Status made, copied;
    };

    // service_allocate.cpp
    std::uint64_t serial_of(const Caller& caller) const;
    bool answer_again(const Caller& caller, std::uint64_t request_id, std::uint64_t size,
                      std::function<void()> ask_again,
                      const std::function<void(Result<Grant>)>& done);
    void make(const std::shared_ptr<Allocation>& allocation);
    void let_client_reserve(const std::shared_ptr<Allocation>& allocation);
    void give_up(const std::shared_ptr<Allocation>& allocation, Error error);
    void give_up_of(std::uint64_t serial);
    void expire_allocations();
    void finish_allocation(const std::shared_ptr<Allocation>& allocation);
    Error refuse_allocation(const Caller& caller, std::uint64_t size, Error error);
    Result<Grant> grant(const Caller& caller, std::uint32_t slot, AccessMode access, bool handle);

    // service_moves.cpp
    bool movable(std::uint32_t slot) const;
    bool move(std::uint32_t slot, PendingAllocation to, std::string reason);
    void finish_move(const std::shared_ptr<Move>& move);
    void settle(std::uint32_t slot, bool moved);
    bool try_seal(std::uint32_t slot);
    DefragmentStep defragment_a_step();
    bool improve(std::uint32_t slot);  // moves it to a better place, if there is one
    void plan_defragmentation();
    bool worth_defragmenting() const;
    void background(std::int64_t at);
    void clean_pages();
    void freed_pages();

    // service.cpp
    // Tries it, and once more if that is safe and room could be made.
    template <typename Try>
    auto tried(Try attempt) {
        auto result = attempt();
        if (!result && retry_is_safe(result.error().code) && make_room()) result = attempt();
        return result;
    }
    Result<std::uint32_t> find(const RegionId& id) const;
    Result<std::uint32_t> usable(const Caller& caller, const RegionId& id, Operation operation);
    // Usable, and neither withdrawn nor damaged nor read-only where the caller would write.
    Result<std::uint32_t> openable(const Caller& caller, const RegionId& id, AccessMode access);
    Error refuse(const Caller& caller, Error error, std::string_view operation, const RegionId& id);
    Status mappable(std::uint32_t slot) const;
    Status writable(std::uint32_t slot) const;
    RegionInfo describe_slot(std::uint32_t slot);

    // service_cleanup.cpp
    CleanupItem clean(const Caller& caller, std::uint32_t slot, const CleanupRequest& request,
                      std::int64_t at);
    CleanupItem clean_stuck(const Caller& caller, std::uint32_t slot, bool dry_run);
    void carry_out(const Caller& caller, std::uint32_t slot, CleanupItem& item);
    static void add_item(CleanupResult& result, CleanupItem item);
    // False: somebody holds it; it is back where it was.
    Result<bool> enter_quarantine(std::uint32_t slot, const std::string& reason,
                                  const Credentials& by, std::int64_t at);
    // The memory of a FREEING slot, overwritten first where the configuration asks for it, perhaps
    // elsewhere: the slot is freed afterwards then.
    Status give_back(std::uint32_t slot, const std::string& reason, const Credentials& by);
    Status release(std::uint32_t slot, const std::string& reason, const Credentials& by,
                   const Stopwatch& watch);
    tl::unexpected<Error> stuck(std::uint32_t slot, Error error);

    // service_health.cpp
    // What is wrong with the region, by its description, its segment and its canary.
    std::optional<std::string> fault_of(std::uint32_t slot);
    std::optional<std::string> canary_fault(std::uint32_t slot);
    void damage(std::uint32_t slot, std::string_view what);
    void check_canary_of_ending(std::uint32_t slot);
    void settle_damaged_arenas();
    void keep_description(std::uint32_t slot);
    // Moves an idle region out of an arena that somebody tampered with. False: it stays.
    bool rescue(std::uint32_t slot);
    void begin_health_check();
    bool check_on(std::int64_t at);

    // service_lifecycle.cpp
    Notes& notes(std::uint32_t slot);
    IdleRegion idle_facts(std::uint32_t slot) const;
    bool owner_alive(std::uint32_t slot) const;
    // Counts again; a count that changed, or takes, make `at` (or now) the time of the last access.
    void refresh(std::uint32_t slot, std::uint64_t takes = 0,
                 std::optional<std::int64_t> at = std::nullopt);
    void record_references(std::uint32_t slot);
    bool held(std::uint32_t slot);
    // Counts what clients took and gave back since the last time, and judges those regions.
    void sweep(std::int64_t at);
    void evaluate(std::uint32_t slot, std::int64_t at);
    void evaluate_quarantined(std::uint32_t slot, std::int64_t at);
    void look_at(std::uint32_t slot, std::int64_t at);
    bool run_due(std::int64_t at);
    void schedule(std::uint32_t slot, std::int64_t at);
    void drop_stale_due();
    bool withdraw_grants(std::uint32_t slot);
    // RETIRING and on. False: somebody holds it; it is back where it was.
    Result<bool> retire(std::uint32_t slot, const std::string& reason, const Credentials& by);
    Status finish(std::uint32_t slot, const std::string& reason, const Credentials& by);
    layout::ClientRow row_of(std::uint32_t client, bool connected) const;
    void publish_client(std::uint32_t client, bool connected);
    ReferenceCounter::Estate drop(std::uint32_t client);
    void orphan(std::uint32_t slot, std::int64_t at);

    // service_locks.cpp
    // Those who hold references, locks included.
    std::vector<Holder> holders_of(std::uint32_t slot);
    Result<LockReply> lock_reply(const Caller& caller, const LockAnswer& answer);
    Error deadlock_error(const Caller& caller, const RegionId& id, const LockAnswer& answer);
    const layout::ClientRecord* locker(const LockOwner& owner) const;
    std::string locker_name(const LockOwner& owner) const;
    LockHolder describe_lock(const Synchronizer::Held& held, bool with_token) const;
    RegionLocks describe_locks(std::uint32_t slot, bool with_tokens) const;
    // The region's writer is gone or has to go: inconsistent, in one step with the event.
    void distrust(std::uint32_t slot, const Event& event);
    // Tells everybody whose wait has ended.
    void settle_locks();
    void dismiss_lock_waiters(std::uint32_t slot);
    void expire_lock_waits();
    void drop_locks(const layout::ClientRecord& record, std::uint64_t serial,
                    ReferenceCounter::Estate& left);
    void recover_locks();

    // service_recovery.cpp
    void recover_clients();
    void refuse_repetition(std::uint32_t slot);
    std::optional<SegmentsByName> list_segments();
    void recover_slot(std::uint32_t slot, const std::optional<SegmentsByName>& segments,
                      std::uint64_t takes, std::int64_t at);

    // service_leftovers.cpp
    void adopt_durable();
    void remove_stale_segments(const SegmentsByName& segments);

    InstancePaths paths_;
    std::unique_ptr<RegionRegistry> registry_;
    GrantTable grants_;
    PlatformBackend& backend_;
    RunLong run_long_;
    ReferenceCounter counter_;
    Allocator allocator_;
    Cleaner cleaner_;
    SecurityController security_;
    ServicePolicies policies_{*this};
    Synchronizer synchronizer_;
    AccessAudit access_audit_;
    Config config_;

    std::unordered_map<std::uint64_t, std::uint32_t> client_of_serial_;
    std::unordered_map<std::uint32_t, std::int64_t> owner_gone_;  // by slot: since when
    std::unordered_map<std::uint32_t, Error> stuck_;
    std::unordered_map<std::uint32_t, std::string> faults_;  // by damaged slot: what failed
    std::unordered_set<std::uint32_t> wiping_;  // FREEING slots that are overwritten elsewhere
    // By slot that is being made elsewhere: the same request, asked again over a new connection.
    std::unordered_map<std::uint32_t, std::function<void()>> asked_again_;
    // By slot: being made elsewhere, or by the client.
    std::unordered_map<std::uint32_t, std::shared_ptr<Allocation>> pending_;
    // By slot: a manager ended while it made this one. Until when that is remembered.
    std::unordered_map<std::uint32_t, std::int64_t> not_repeated_;
    std::vector<Notes> notes_;
    std::vector<std::uint32_t> unrecorded_;  // slots whose count changed less than a second ago
    std::vector<Due> due_;                   // a heap, the earliest first
    // By client's serial: the arenas, with the way to use them, that it was handed.
    std::unordered_map<std::uint64_t, std::set<std::pair<std::uint64_t, AccessMode>>> told_;
    // By slot that is being moved: who waits for it.
    std::unordered_map<std::uint32_t, std::vector<std::function<void()>>> moving_;
    std::deque<std::uint32_t> plan_;  // slots a defragmentation has still to look at
    std::int64_t step_asked_at_ = 0;  // boot time of the last step that somebody asked for
    std::int64_t next_defragmentation_ = 0, next_full_look_ = 0, next_health_look_ = 0;
    bool background_busy_ = false, stopping_ = false;
    std::optional<Error> recovery_problem_;
    Pass full_look_, health_look_;
    HealthState health_, checking_;  // of the last complete look, and of the one under way
    ErrorManager errors_;
    RefusalLog refusals_;
    SealDesk seals_{*this};
    ServiceFigures figures_;
};

}  // namespace snakepit::shm
