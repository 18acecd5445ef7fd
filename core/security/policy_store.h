// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/policy.h"
#include "base/result.h"
#include "base/time.h"
#include "sqlite/state_database.h"

namespace snakepit::shm {

// A row of the state database.
struct StoredPolicy {
    RegionId id;
    std::uint32_t revision = 0;
    Policy policy;
    Timestamp changed_at;
    std::uint32_t changed_by_uid = 0;
    std::int64_t changed_by_pid = 0;
};

// The policies of regions, in the instance's state.db. The row decides: it is on the disk before
// anything else is changed. All calls fail with database_unavailable. One thread.
class PolicyStore {
  public:
    // `boot`: of the running system; rules that name a process of another boot match no process.
    PolicyStore(std::shared_ptr<StateDatabase> database, std::string boot)
        : database_(std::move(database)), boot_(std::move(boot)) {}

    // Rows that cannot be read are left out and named in `note`.
    Result<std::vector<StoredPolicy>> load(std::string& note);
    // `lasting`: on the disk when it returns. A region that lives in memory ends with the power, so
    // what it was allocated with needs only outlive the manager.
    Status save(const StoredPolicy& row, bool lasting);
    Status remove(const RegionId& id);

  private:
    std::shared_ptr<StateDatabase> database_;
    std::string boot_;
};

}  // namespace snakepit::shm
