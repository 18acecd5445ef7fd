// SPDX-License-Identifier: GPL-3.0-or-later
// The world as it is: the registry file, the event database and the manager of one instance.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "base/paths.h"
#include "client/manager_client.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

// Opens the registry when it appears, and again after it went.
class LiveRegions : public RegionSource {
  public:
    explicit LiveRegions(std::string path) : path_(std::move(path)) {}
    Result<SourceTick> poll() override;

  private:
    std::string path_;
    std::optional<RegistryReader> reader_;
    std::uint64_t epoch_ = 0;
    std::uint64_t last_sample_ = 0;
};

// Opens the database when it is first asked, and again after an error.
class LiveEvents : public EventSource {
  public:
    explicit LiveEvents(std::string path) : path_(std::move(path)) {}
    Result<std::vector<EventRow>> query(const EventQuery& query) override;
    void interrupt() override;

  private:
    std::string path_;
    std::mutex mutex_;  // reader_ coming and going, against interrupt()
    std::optional<EventReader> reader_;
};

// Connects when first asked and keeps the connection; it holds no region.
class LiveManager : public ManagerPort {
  public:
    explicit LiveManager(std::string instance) : instance_(std::move(instance)) {}
    Result<RegionInfo> info(const RegionId& id) override;
    std::int64_t start_time_of(std::int64_t pid) override;
    Result<CleanupResult> cleanup(const CleanupRequest& request) override;
    Result<bool> deallocate(const RegionId& id, bool force) override;
    Result<std::unique_ptr<ByteSource>> bytes_of(const RegionId& id) override;
    Result<std::string> restore(const RegionId& id) override;
    Result<PolicyReport> policy(const RegionId& id) override;
    Result<PolicyReport> set_policy(const RegionId& id, const Policy& policy) override;
    Result<std::uint32_t> rotate_key(const RegionId& id) override;
    Result<ArenaReport> arenas() override;
    Result<DefragmentResult> defragment() override;

    // The connection, for what else is asked of the manager. Any thread.
    Result<std::shared_ptr<ManagerClient>> client();

  private:
    std::string instance_;
    std::mutex mutex_;
    std::shared_ptr<ManagerClient> client_;
};

// All of them, for a workspace.
Workspace::Parts live_parts(const InstancePaths& paths);

}  // namespace snakepit::shm::ui
