// SPDX-License-Identifier: MIT
#include "manager/error_manager.h"

#include <fmt/format.h>

#include "base/counted.h"
#include "base/units.h"

namespace snakepit::shm {

bool retry_is_safe(ErrorCode code) {
    return code == ErrorCode::no_space;
}

bool cleanup_helps(ErrorCode code) {
    switch (code) {
        case ErrorCode::memory_limit_exceeded:
        case ErrorCode::region_limit_exceeded:
        case ErrorCode::process_region_limit_exceeded:
        case ErrorCode::user_limit_exceeded:
        case ErrorCode::no_space:
            return true;
        default:
            return false;
    }
}

// The figures are those of this moment, and may be others by the time a person reads them.
void advise_cleanup(Error& error, const IdleFigures& idle) {
    auto advice =
        idle.regions == 0
            ? std::string("every region is in use")
            : fmt::format(
                  "{} {}: 'snakepit-shm cleanup --all-eligible --dry-run' lists what could go now",
                  counted(idle.regions, "idle region holds", "idle regions hold"),
                  format_size(idle.bytes));
    error.remedy =
        error.remedy.empty() ? std::move(advice) : fmt::format("{}; {}", advice, error.remedy);
}

Error ErrorManager::handle(Error error, const ErrorContext& context) {
    if (!context.operation.empty()) error.operation = context.operation;
    if (context.region.valid()) error.region_id = context.region.str();
    if (error.time.micros == 0) error.time = now();
    ++total_;
    ++by_type_[error.type()];
    ++by_code_[error.code];
    if (recent_.size() == kRemembered) recent_.pop_front();
    recent_.push_back(
        {error, context.credentials.pid, context.credentials.uid, std::string(context.process)});
    return error;
}

}  // namespace snakepit::shm
