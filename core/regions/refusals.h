// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <utility>

#include "regions/caller.h"
#include "regions/refusal_log.h"
#include "regions/region_lifecycle.h"

namespace snakepit::shm {

// Requests that were refused: each error gets its context and its advice, and those that concern
// security are recorded and raise the alarm. Service thread only.
class Refusals : RegionPart {
  public:
    Refusals(ServiceState& state, RegionLifecycle& lifecycle)
        : RegionPart(state), lifecycle_(lifecycle) {}

    // The error as the caller gets it.
    Error refuse(const Caller& caller, Error error, std::string_view operation, const RegionId& id);
    // The result of an operation; an error as the caller gets it.
    template <typename T>
    Result<T> check(const Caller& caller, std::string_view operation, const RegionId& id,
                    Result<T> result) {
        if (result) return result;
        return fail(refuse(caller, std::move(result).error(), operation, id));
    }
    // Of a flood by one user only some become events of their own; see RefusalLog.
    void record(const Event& event);
    // Those that were only counted.
    void record_counted(std::int64_t at);

  private:
    RegionLifecycle& lifecycle_;
    RefusalLog log_;
};

}  // namespace snakepit::shm
