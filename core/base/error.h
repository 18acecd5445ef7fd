// SPDX-License-Identifier: MIT
// Errors are values. An Error says what failed, why, and what to do about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace snakepit::shm {

// The classification of errors: what `type` says in JSON.
enum class ErrorType : std::uint8_t {
    allocation_failed,
    mapping_failed,
    permission_denied,
    region_not_found,
    memory_limit_exceeded,
    platform_error,
    security_violation,
    corruption_detected,
    cleanup_failed,
    timeout,
    deadlock,
    not_held,
    no_manager,
    invalid_argument,
};

// X(code, type, number). Numbers are part of the C interface (snakepit_shm_status) and of the
// control protocol: never reuse one.
#define SNAKEPIT_SHM_ERROR_CODES(X)                         \
    X(allocation_failed, allocation_failed, 1)              \
    X(mapping_failed, mapping_failed, 2)                    \
    X(permission_denied, permission_denied, 3)              \
    X(region_not_found, region_not_found, 4)                \
    X(memory_limit_exceeded, memory_limit_exceeded, 5)      \
    X(platform_error, platform_error, 6)                    \
    X(security_violation, security_violation, 7)            \
    X(corruption_detected, corruption_detected, 8)          \
    X(cleanup_failed, cleanup_failed, 9)                    \
    X(timeout, timeout, 10)                                 \
    X(deadlock, deadlock, 11)                               \
    X(not_held, not_held, 12)                               \
    X(no_manager, no_manager, 13)                           \
    X(invalid_argument, invalid_argument, 14)               \
    X(invalid_size, invalid_argument, 15)                   \
    X(invalid_region_id, invalid_argument, 16)              \
    X(size_exceeds_limit, allocation_failed, 17)            \
    X(region_limit_exceeded, allocation_failed, 18)         \
    X(process_region_limit_exceeded, allocation_failed, 19) \
    X(no_space, allocation_failed, 20)                      \
    X(region_in_use, cleanup_failed, 21)                    \
    X(reference_limit, mapping_failed, 22)                  \
    X(read_only, permission_denied, 23)                     \
    X(identity_mismatch, security_violation, 24)            \
    X(forked, invalid_argument, 25)                         \
    X(protocol_error, platform_error, 26)                   \
    X(version_mismatch, platform_error, 27)                 \
    X(client_limit_exceeded, platform_error, 28)            \
    X(instance_in_use, platform_error, 29)                  \
    X(plugin_load_failed, platform_error, 30)               \
    X(configuration_invalid, invalid_argument, 31)          \
    X(database_unavailable, platform_error, 32)             \
    X(registry_lost, region_not_found, 33)                  \
    X(not_supported, invalid_argument, 34)                  \
    X(user_limit_exceeded, memory_limit_exceeded, 35)       \
    X(client_closed, invalid_argument, 36)                  \
    X(audit_unavailable, platform_error, 40)                \
    X(policy_invalid, invalid_argument, 45)                 \
    X(encryption_required, permission_denied, 46)           \
    X(name_in_use, allocation_failed, 47)                   \
    X(not_cached, mapping_failed, 50)                       \
    X(no_event, timeout, 51)                                \
    X(producer_gone, not_held, 52)                          \
    X(ring_closed, not_held, 53)                            \
    X(alert_rule_invalid, invalid_argument, 61)             \
    X(telemetry_unavailable, platform_error, 65)

enum class ErrorCode : std::int32_t {
#define X(name, type, number) name = number,
    SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
};

// "allocation_failed", "timeout", …
std::string_view to_string(ErrorType type);
std::string_view to_string(ErrorCode code);
// The type of a code; platform_error for a number that is not a code.
ErrorType type_of(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::platform_error;
    std::string message;    // one clause: what failed and why
    std::string remedy;     // one clause: what to do, or empty
    std::string operation;  // "allocate", "map" …, or empty
    std::string region_id;  // empty if no region is involved
    // The short text of a refusal's event, or empty. It is not sent to the client.
    std::string reason;
    int system_error = 0;         // errno, or 0
    std::int64_t process_id = 0;  // where it was detected
    Timestamp time{};

    ErrorType type() const { return type_of(code); }
    // "message: remedy", the sentence shown to people.
    std::string sentence() const;
};

// Fills in process id and time.
Error make_error(ErrorCode code, std::string message, std::string remedy = {});
// The only place where errno becomes an error. It chooses a code and a remedy by the number, unless
// `fallback` is more specific. The message reads "<what>: <strerror>".
Error system_error(int number, std::string_view what,
                   ErrorCode fallback = ErrorCode::platform_error);

}  // namespace snakepit::shm
