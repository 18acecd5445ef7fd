// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace snakepit::shm {

std::string_view to_string(ErrorType type) {
    switch (type) {
        case ErrorType::allocation_failed:
            return "allocation_failed";
        case ErrorType::mapping_failed:
            return "mapping_failed";
        case ErrorType::permission_denied:
            return "permission_denied";
        case ErrorType::region_not_found:
            return "region_not_found";
        case ErrorType::memory_limit_exceeded:
            return "memory_limit_exceeded";
        case ErrorType::platform_error:
            return "platform_error";
        case ErrorType::security_violation:
            return "security_violation";
        case ErrorType::corruption_detected:
            return "corruption_detected";
        case ErrorType::cleanup_failed:
            return "cleanup_failed";
        case ErrorType::timeout:
            return "timeout";
        case ErrorType::deadlock:
            return "deadlock";
        case ErrorType::not_held:
            return "not_held";
        case ErrorType::no_manager:
            return "no_manager";
        case ErrorType::invalid_argument:
            return "invalid_argument";
    }
    return "platform_error";
}

std::string_view to_string(ErrorCode code) {
    switch (code) {
#define X(name, type, number) \
    case ErrorCode::name:     \
        return #name;
        SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
    }
    return "platform_error";
}

ErrorType type_of(ErrorCode code) {
    static constexpr std::pair<ErrorCode, ErrorType> kTypes[] = {
#define X(name, type, number) {ErrorCode::name, ErrorType::type},
        SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
    };
    for (const auto& [known, type] : kTypes)
        if (known == code) return type;
    return ErrorType::platform_error;
}

std::string Error::sentence() const {
    return remedy.empty() ? message : fmt::format("{}: {}", message, remedy);
}

Error make_error(ErrorCode code, std::string message, std::string remedy) {
    Error error;
    error.code = code;
    error.message = std::move(message);
    error.remedy = std::move(remedy);
    error.process_id = ::getpid();
    error.time = now();
    return error;
}

namespace {

struct Translation {
    int number;
    ErrorCode code;
    const char* remedy;
};

// Only errno values that mean the same wherever they come from.
constexpr Translation kTranslations[] = {
    {ENOSPC, ErrorCode::no_space, "free space there, enlarge the file system, or request less"},
#ifdef EDQUOT  // not every system has quotas
    {EDQUOT, ErrorCode::no_space,
     "the user's disk quota is exhausted; remove files or raise the quota"},
#endif
    {EACCES, ErrorCode::permission_denied, "run it as the user who owns the instance"},
    {EPERM, ErrorCode::permission_denied,
     "run it as the user who owns the instance; a container's limits, or an immutable or protected "
     "file, can also cause this"},
    {EMFILE, ErrorCode::platform_error, "raise the limit of open files (ulimit -n)"},
    {ENFILE, ErrorCode::platform_error, "the system has no file handles left; raise fs.file-max"},
    {EFBIG, ErrorCode::platform_error,
     "the file would exceed the file size limit; raise the limit (ulimit -f)"},
    {ENOMEM, ErrorCode::mapping_failed,
     "address space, mappings (vm.max_map_count) or memory are exhausted; unmap regions or raise "
     "the limit"},
    {EROFS, ErrorCode::platform_error, "the file system is read-only; choose another directory"},
};

}  // namespace

Error system_error(int number, std::string_view what, ErrorCode fallback) {
    auto message = fmt::format("{}: {}", what, std::generic_category().message(number));
    for (const auto& entry : kTranslations) {
        if (entry.number != number) continue;
        const auto code = entry.code == ErrorCode::platform_error ? fallback : entry.code;
        auto error = make_error(code, std::move(message), entry.remedy);
        error.system_error = number;
        return error;
    }
    auto error = make_error(fallback, std::move(message));
    error.system_error = number;
    return error;
}

}  // namespace snakepit::shm
