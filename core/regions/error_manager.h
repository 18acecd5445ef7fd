// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "platform/channel.h"

namespace snakepit::shm {

// In what an error happened, beside what the Error itself says.
struct ErrorContext {
    std::string_view operation;  // "allocate", "map" …
    RegionId region;             // invalid: none is concerned
    Credentials credentials;     // who asked; pid 0: the manager itself
    std::string_view process;
};

struct RecentError {
    Error error;
    std::int64_t pid = 0;  // who asked
    std::uint32_t uid = 0;
    std::string process;
};

// Idle regions, in quarantine or not: what a cleanup could free.
struct IdleFigures {
    std::uint64_t regions = 0;
    std::uint64_t bytes = 0;
    bool no_regions = false;  // the instance has none at all
};

// Whether what failed so may be done once more by itself, after something was done about the cause:
// it changed nothing, and need not fail again.
bool retry_is_safe(ErrorCode code);
// Whether giving memory or regions back would help.
bool cleanup_helps(ErrorCode code);
// Says how much a cleanup would give back, and how to do it, in front of the remedy there is. Where
// it would give back nothing and a file system is full, it points to what else is there.
void advise_cleanup(Error& error, const IdleFigures& idle);

// Puts each error into its context, counts it by type and code,
// and remembers the last ones. Service thread only.
class ErrorManager {
  public:
    static constexpr std::size_t kRemembered = 64;

    // The error with operation, region and time filled in where they were missing.
    Error handle(Error error, const ErrorContext& context);

    std::uint64_t total() const { return total_; }
    const std::map<ErrorType, std::uint64_t>& by_type() const { return by_type_; }
    const std::map<ErrorCode, std::uint64_t>& by_code() const { return by_code_; }
    // By code, since the configuration was loaded last: an earlier limit is no longer to be raised.
    const std::map<ErrorCode, std::uint64_t>& since_configured() const { return since_configured_; }
    void configured() { since_configured_.clear(); }
    const std::deque<RecentError>& recent() const { return recent_; }  // newest last

  private:
    std::uint64_t total_ = 0;  // since the manager started, as the counts are
    std::map<ErrorType, std::uint64_t> by_type_;
    std::map<ErrorCode, std::uint64_t> by_code_, since_configured_;
    std::deque<RecentError> recent_;
};

}  // namespace snakepit::shm
