// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regions/recovery.h"
#include "regions/region_cleanup.h"
#include "regions/region_sealing.h"
#include "regions/signal_manager.h"

namespace snakepit::shm {

// Everything the manager does with regions and clients, without sockets or threads: the server
// feeds it, unit tests drive it. Each operation is documented at the part that does it. Service
// thread only; `at` is the instance's clock (RegionRegistry::time).
class RegionService {
  public:
    explicit RegionService(ServiceState& state);

    void configure(const Config& config);
    // See Recovery. Before everything else, and after configure().
    Status recover();

    // ---- clients
    Result<std::uint32_t> connect_client(const ClientIdentity& identity) {
        return clients_.connect(identity);
    }
    Result<std::uint32_t> resume_client(const SessionToken& token, const ClientIdentity& identity);
    // What it reserves and has no answer for is cancelled.
    void connection_lost(std::uint32_t client);
    // It runs without a connection, and the history says so.
    void client_disconnected(std::uint32_t client) { clients_.disconnected(client); }
    bool reap_if_dead(std::uint32_t client) { return reaper_.reap_if_dead(client); }
    Status announce(const Caller& caller, std::string_view worker, std::string_view pool,
                    std::string_view session) {
        return clients_.announce(caller, worker, pool, session);
    }
    const layout::ClientRecord& client(std::uint32_t index) const { return clients_.record(index); }
    Result<Handle> liveness_lock(std::uint32_t client) const {
        return state_.counter.liveness_lock(client);
    }
    std::vector<std::uint32_t> clients() const { return state_.counter.clients(); }

    // ---- regions
    void allocate(const Caller& caller, std::uint64_t request_id, std::uint64_t size,
                  RegionOptions options, RegionAllocation::Done done,
                  const AllocationWishes& wishes = {}) {
        allocation_.allocate(caller, request_id, size, std::move(options), std::move(done), wishes);
    }
    void reserved(const Caller& caller, std::uint64_t request_id, RegionAllocation::Done done) {
        allocation_.reserved(caller, request_id, std::move(done));
    }
    void cancel_allocation(const Caller& caller, std::uint64_t request_id) {
        allocation_.cancel(caller, request_id);
    }
    void drop_unclaimed(std::uint32_t slot, std::uint64_t generation) {
        allocation_.drop_unclaimed(slot, generation);
    }
    Result<Grant> map(const Caller& caller, const RegionId& id, AccessMode access,
                      bool handle = false) {
        return directory_.map(caller, id, access, handle);
    }
    void released(std::uint32_t slot, std::uint64_t generation) {
        lifecycle_.released(slot, generation);
    }
    Result<bool> deallocate(const Caller& caller, const RegionId& id, bool force) {
        return cleanup_.deallocate(caller, id, force);
    }
    Result<bool> quarantine(const Caller& caller, const RegionId& id) {
        return cleanup_.quarantine(caller, id);
    }
    Result<std::string> restore(const Caller& caller, const RegionId& id) {
        return cleanup_.restore(caller, id);
    }
    CleanupResult cleanup(const Caller& caller, const CleanupRequest& request, std::uint32_t& slot,
                          std::size_t most) {
        return cleanup_.cleanup(caller, request, slot, most);
    }
    void seal(const Caller& caller, const RegionId& id, std::function<void(Result<bool>)> done) {
        sealing_.seal(caller, id, std::move(done));
    }
    Result<RegionInfo> info(const Caller& caller, const RegionId& id) {
        return directory_.info(caller, id);
    }
    Result<RegionId> resolve(const Caller& caller, const std::string& word) {
        return directory_.resolve(caller, word);
    }
    Result<std::vector<RegionInfo>> list(const Caller& caller, std::string_view filter,
                                         std::uint32_t& slot, std::size_t bytes) {
        if (slot == 0) look_at_stashes();
        return directory_.list(caller, filter, slot, bytes);
    }
    DefragmentStep defragment() { return maintenance_.defragment(); }
    bool moving(const RegionId& id) const { return mover_.moving(id); }
    // The caller's region of this name that is being moved.
    std::optional<RegionId> moving(const Caller& caller, const std::string& name) const;
    void when_settled(const RegionId& id, std::function<void()> then) {
        mover_.when_settled(id, std::move(then));
    }

    // ---- locks
    Result<LockReply> lock(const Caller& caller, const LockCall& call) {
        return locks_.lock(caller, call);
    }
    Result<LockReply> lock_wait(const Caller& caller, std::uint64_t ticket) {
        return locks_.wait(caller, ticket);
    }
    Result<LockReply> lock_cancel(const Caller& caller, std::uint64_t ticket) {
        return locks_.cancel(caller, ticket);
    }
    void lock_request_cancel(const Caller& caller, const RegionId& id, std::uint32_t thread,
                             std::uint32_t request) {
        locks_.cancel_request(caller, id, thread, request);
    }
    Status unlock(const Caller& caller, const RegionId& id, std::uint64_t token,
                  std::uint32_t request) {
        return locks_.unlock(caller, id, token, request);
    }
    Status abandon(const Caller& caller, const RegionId& id, std::uint64_t token) {
        return locks_.abandon(caller, id, token);
    }
    Result<std::vector<RegionLocks>> locks(const Caller& caller, std::string_view filter,
                                           std::uint32_t& slot, std::size_t bytes) {
        return locks_.list(caller, filter, slot, bytes);
    }
    Result<RegionLocks> release_locks(const Caller& caller, const RegionId& id,
                                      std::uint64_t token) {
        return locks_.release(caller, id, token);
    }

    // ---- signals
    SignalManager& signals() { return signals_; }

    // ---- encrypted regions
    Result<EncryptedAnswer> read_encrypted(const Caller& caller, const RegionId& id,
                                           std::uint32_t key_version, bool next) {
        return encrypted_.read(caller, id, key_version, next);
    }
    Status commit_encrypted(const Caller& caller, const EncryptedCommitCall& call) {
        return encrypted_.commit(caller, call);
    }
    void report_encrypted(const Caller& caller, const RegionId& id,
                          std::function<void(Status)> done) {
        encrypted_.report(caller, id, std::move(done));
    }

    // ---- policies
    Result<std::string> show_policy(const Caller& caller, const std::optional<RegionId>& id) {
        return policies_.show(caller, id);
    }
    void set_policy(const Caller& caller, const RegionId& id, const std::string& json,
                    std::function<void(Result<std::string>)> done) {
        policies_.set(caller, id, json, std::move(done));
    }
    void client_identified(const Caller& caller) { policies_.client_identified(caller); }
    bool may(const Caller& caller, Privilege privilege) const {
        return policies_.may(caller, privilege);
    }
    Status require(const Caller& caller, Privilege privilege, std::string_view operation) {
        return policies_.require(caller, privilege, operation);
    }
    Quota quota_of_user(std::uint32_t uid) const { return policies_.quota_of_user(uid); }
    void record_refusal(const Event& event) { refusals_.record(event); }

    // ---- time
    // Reads changed lease pages and does what is due. Call about four times a second. True: there
    // is more to do than fits a slice; call run_slice() soon.
    bool tick(std::int64_t at);
    bool run_slice(std::int64_t at);  // true: there is still more
    // Locks are lent: call run_slice() in a millisecond.
    bool has_loans() const { return locks_.has_loans(); }
    // For an orderly stop: no background work is begun any more.
    void stop_background() {
        maintenance_.stop();
        (void)stash_.recall();
    }
    // Publishes what clients allocated without asking.
    void look_at_stashes() { stash_.look_at_all(); }
    RegionStash::Figures stash() const { return stash_.figures(); }
    // No region, and no segment of this registry is left.
    bool owns_nothing() const;
    // Evaluates every region, due or not, in one go.
    void evaluate_all();

    // ---- health
    // Starts a scan of all regions for damage, as much as fits a slice; the rest follows by itself.
    const HealthState& check_now();
    const HealthState& health() const { return integrity_.health(); }
    std::vector<std::uint32_t> regions_in(std::uint64_t arena) const {
        return integrity_.regions_in(arena);
    }
    const std::unordered_map<std::uint32_t, Error>& stuck() const { return lifecycle_.stuck(); }
    const std::unordered_map<std::uint32_t, std::string>& faults() const {
        return integrity_.faults();
    }
    std::size_t deadlines() const { return lifecycle_.deadlines(); }

  private:
    ServiceState& state_;
    ClientRegistry clients_{state_};
    EncryptionRecords encryption_{state_};
    IntegrityCheck integrity_{state_, encryption_};
    AccessAudit audit_{state_};
    RegionLifecycle lifecycle_{state_, clients_, integrity_, audit_};
    Refusals refusals_{state_, lifecycle_};
    RegionMover mover_{state_, lifecycle_, integrity_};
    RegionPolicies policies_{state_, clients_, lifecycle_, mover_, refusals_};
    RegionSealing sealing_{state_, lifecycle_, mover_, policies_, refusals_};
    ArenaMaintenance maintenance_{state_, clients_, integrity_, mover_};
    EncryptedRegions encrypted_{state_, encryption_, integrity_, policies_, refusals_};
    RegionDirectory directory_{state_, clients_,  lifecycle_, integrity_,
                               audit_, policies_, refusals_};
    SignalManager signals_{state_, directory_, refusals_};
    LockManager locks_{state_, clients_, lifecycle_, policies_, directory_, encrypted_, refusals_};
    RegionCleanup cleanup_{state_, clients_, lifecycle_, policies_, locks_, signals_, refusals_};
    RegionStash stash_{state_, clients_, lifecycle_};
    RegionAllocation allocation_{state_,     clients_,     lifecycle_, encryption_, policies_,
                                 directory_, maintenance_, refusals_,  stash_};
    ClientReaper reaper_{state_,     clients_, lifecycle_, audit_,      policies_,
                         directory_, locks_,   signals_,   allocation_, stash_};
    Recovery recovery_{state_, clients_,    integrity_, lifecycle_, policies_,
                       locks_, allocation_, reaper_,    stash_};
    SlotScan scan_;
    bool recovered_ = false;
    std::int64_t next_scan_ = 0, next_health_check_ = 0, next_stash_look_ = 0;
};

}  // namespace snakepit::shm
