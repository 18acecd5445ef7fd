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

// The policies of regions, in the instance's state.db. The row is the truth: it is on disk before
// anything else is changed. One thread.
class PolicyStore {
  public:
    // `boot`: of the running system; rules that name a process of another boot hold for nobody.
    PolicyStore(std::string path, std::string boot);
    PolicyStore(PolicyStore&&) noexcept;
    ~PolicyStore();

    // Opens the database, and makes it when there is none. A file that is no database is put aside,
    // and `note` says so. database_unavailable otherwise; asking again is safe.
    Status open(std::string& note);
    // Rows that cannot be read are left out and named in `note`.
    Result<std::vector<StoredPolicy>> load(std::string& note);
    // `lasting`: on the disk when it returns. A region that lives in memory ends with the power, so
    // what it was allocated with needs only outlive the manager.
    Status save(const StoredPolicy& row, bool lasting);
    Status remove(const RegionId& id);

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
