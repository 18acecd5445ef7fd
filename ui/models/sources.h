// SPDX-License-Identifier: GPL-3.0-or-later
// What the monitor needs from the world, as four small interfaces: the live ones are in
// live_sources.h and live_audit.h, synthetic ones in tests/ui.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "audit/report.h"
#include "base/policy.h"
#include "base/region.h"
#include "base/result.h"
#include "events/event_reader.h"
#include "layout/registry_reader.h"
#include "security/policy_text.h"

namespace snakepit::shm::ui {

// What one look at the registry brought.
struct SourceTick {
    RegistryDelta delta;
    std::vector<ClientInfo> clients;
    std::vector<layout::Sample> samples;  // new ones only, oldest first
    std::int64_t manager_pid = 0;
    Timestamp started_at;
    Timestamp heartbeat;
    std::uint64_t event_head = 0;
    std::uint64_t events_lost = 0;
};

// Called from one worker thread.
class RegionSource {
  public:
    virtual ~RegionSource() = default;
    virtual Result<SourceTick> poll() = 0;
};

// Called from one worker thread, except interrupt().
class EventSource {
  public:
    virtual ~EventSource() = default;
    virtual Result<std::vector<EventRow>> query(const EventQuery& query) = 0;
    virtual void interrupt() = 0;  // any thread
};

// Called from several worker threads at once.
class ManagerPort {
  public:
    virtual ~ManagerPort() = default;
    virtual Result<RegionInfo> info(const RegionId& id) = 0;
    virtual Result<CleanupResult> cleanup(const CleanupRequest& request) = 0;
    // True: the memory is gone already; false: it goes with the last reference.
    virtual Result<bool> deallocate(const RegionId& id, bool force) = 0;
    // Takes a region out of quarantine; the answer says what becomes of it next.
    virtual Result<std::string> restore(const RegionId& id) = 0;
    // The region's policy with all it takes to decide about it here.
    virtual Result<PolicyReport> policy(const RegionId& id) = 0;
    // The answer says what holds now, and whether it is in effect.
    virtual Result<PolicyReport> set_policy(const RegionId& id, const Policy& policy) = 0;
    // Encrypts the region anew; the number of the new key.
    virtual Result<std::uint32_t> rotate_key(const RegionId& id) = 0;
};

struct ReportOrder {
    ReportFormat format = ReportFormat::pdf;
    EventQuery filter;
    std::string file;
};

// Between who writes a report and who waits for it. Any thread.
struct ReportProgress {
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<bool> cancelled{false};  // by who waits; nothing is left behind then
};

// The history's proof. Called from one worker thread.
class AuditPort {
  public:
    virtual ~AuditPort() = default;
    // Whether the history is as it was recorded. Reads all of it.
    virtual Result<AuditVerdict> verify() = 0;
    // Writes the whole signed file or leaves nothing; the key it is signed with.
    virtual Result<PublicKey> write(const ReportOrder& order, ReportProgress& progress) = 0;
};

using EventSourceFactory = std::function<std::unique_ptr<EventSource>()>;

}  // namespace snakepit::shm::ui
