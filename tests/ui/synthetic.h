// SPDX-License-Identifier: GPL-3.0-or-later
// A world for the monitor to show that needs no manager: regions of several programs that come,
// change and go, repeatably.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>

#include "ui/models/host.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

RegionRow make_region(std::mt19937_64& random, std::uint32_t slot, std::uint64_t generation);

// The regions, shared by the three interfaces below. Thread-safe.
class SyntheticWorld {
  public:
    explicit SyntheticWorld(std::size_t regions, unsigned seed = 1);

    // Changes about `share` of the regions, and replaces a few.
    RegistryDelta step(double share);
    RegistryDelta everything() const;
    std::vector<RegionRow> rows() const;
    std::vector<ClientInfo> clients() const;
    layout::Sample sample(std::uint64_t seq, std::int64_t at) const;
    // Both show in the next step.
    void remove(const RegionId& id);
    void edit(const RegionId& id, const std::function<void(RegionRow&)>& change);
    // All programs, workers, sessions and metadata are called this from the next step on.
    void rename(const std::string& name);
    std::string name() const;
    // What the samples say of alerts.
    void set_alerts(std::uint64_t firing, std::uint64_t unacknowledged) {
        alerts_firing_ = firing;
        alerts_unacknowledged_ = unacknowledged;
    }
    void silence() { heart_stopped_ = true; }
    void revive() { heart_stopped_ = false; }
    bool heart_stopped() const { return heart_stopped_; }

  private:
    mutable std::mutex mutex_;
    std::mt19937_64 random_;
    std::vector<RegionRow> rows_;  // by slot; generation 0: vacant
    std::vector<std::uint32_t> vacated_, edited_;
    std::string name_;  // empty: each its own
    std::uint64_t next_generation_ = 1;
    std::atomic<bool> heart_stopped_{false};
    std::atomic<std::uint64_t> alerts_firing_{0}, alerts_unacknowledged_{0};
};

class SyntheticRegions : public RegionSource {
  public:
    explicit SyntheticRegions(SyntheticWorld& world, double share = 0.05)
        : world_(world), share_(share) {}
    Result<SourceTick> poll() override;

  private:
    SyntheticWorld& world_;
    double share_;
    std::uint64_t samples_ = 0;
    std::uint64_t polls_ = 0;
    Timestamp last_beat_ = now();
};

// `total` events, one every 700 ms up to now; answers as the database would.
class SyntheticEvents : public EventSource {
  public:
    SyntheticEvents(SyntheticWorld& world, std::int64_t total) : world_(world), total_(total) {}
    Result<std::vector<EventRow>> query(const EventQuery& query) override;
    void interrupt() override { ++interrupts_; }
    void grow(std::int64_t by) { total_ += by; }
    int interrupts() const { return interrupts_; }

  private:
    EventRow row(std::int64_t seq) const;
    SyntheticWorld& world_;
    std::atomic<std::int64_t> total_;
    std::atomic<int> interrupts_{0};
};

class SyntheticManager : public ManagerPort {
  public:
    explicit SyntheticManager(SyntheticWorld& world) : world_(world) {}
    Result<RegionInfo> info(const RegionId& id) override;
    std::int64_t start_time_of(std::int64_t pid) override;
    Result<CleanupResult> cleanup(const CleanupRequest& request) override;
    Result<bool> deallocate(const RegionId& id, bool force) override;
    Result<std::unique_ptr<ByteSource>> bytes_of(const RegionId& id) override;
    Result<std::string> restore(const RegionId& id) override;
    Result<PolicyReport> policy(const RegionId& id) override;
    Result<PolicyReport> set_policy(const RegionId& id, const Policy& policy) override;
    Result<std::uint32_t> rotate_key(const RegionId& id) override;
    Result<ArenaReport> arenas() override { return arena_report; }
    Result<DefragmentResult> defragment() override {
        ++defragmentations;
        return defragmented;
    }

    // What was asked, in order. Read while no job runs.
    std::vector<CleanupRequest> cleanups;
    std::vector<std::pair<RegionId, bool>> deallocations;
    std::vector<RegionId> rotations;
    int defragmentations = 0;
    // What is answered.
    Result<ArenaReport> arena_report = ArenaReport{};
    Result<DefragmentResult> defragmented = DefragmentResult{};
    // Of each region; read on a worker thread, so it is changed between looks. Others cannot be
    // mapped.
    std::map<RegionId, std::string> contents;
    std::mutex contents_mutex;
    // What was set; what is here to begin with was set before.
    std::map<RegionId, Policy> policies;
    std::optional<Error> refusal;                      // of the next policy that is set
    std::map<std::int64_t, std::int64_t> start_times;  // by process id

  private:
    SyntheticWorld& world_;
};

// A history that is as it should be, or not.
class SyntheticAudit : public AuditPort {
  public:
    Result<AuditVerdict> verify() override;
    Result<PublicKey> write(const ReportOrder& order, ReportProgress& progress) override;

    bool genuine = true;
    std::vector<ReportOrder> orders;  // read while no job runs
};

// What a report of that history says; a day of it.
ReportContents make_report(bool genuine);

struct SyntheticHost : ManagerHost {
    bool embedded() const override { return true; }
    Status embed() override { return {}; }
    Status hand_over() override { return {}; }
};

}  // namespace snakepit::shm::ui
