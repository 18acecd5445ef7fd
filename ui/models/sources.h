// SPDX-License-Identifier: GPL-3.0-or-later
// What the monitor needs from the world, as three small interfaces: the live ones are in
// live_sources.h, synthetic ones in tests/ui.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "events/event_reader.h"
#include "layout/registry_reader.h"

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
};

using EventSourceFactory = std::function<std::unique_ptr<EventSource>()>;

}  // namespace snakepit::shm::ui
