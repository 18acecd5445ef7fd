// SPDX-License-Identifier: MIT
#include "regions/error_manager.h"

#include <fmt/format.h>

#include "base/pluralize.h"
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

namespace {

// Of a file system, which others use too; a control group's has no number of the system's.
bool is_full(const Error& error) {
    return error.code == ErrorCode::no_space && error.system_error != 0;
}

std::string advice(const Error& error, const IdleFigures& idle) {
    if (idle.regions > 0)
        return fmt::format(
            "{} {}: 'snakepit-shm cleanup --all-eligible --dry-run' lists what could go now",
            pluralize(idle.regions, "idle region holds", "idle regions hold"),
            format_size(idle.bytes));
    // Without regions a limit is not met by any, and there is nothing to say of them.
    std::string out;
    if (!idle.no_regions) out = "every region is in use";
    if (idle.no_regions && is_full(error)) out = "this instance has no regions";
    if (is_full(error) && error.remedy.find("snakepit-shm host") == std::string::npos)
        out += ": 'snakepit-shm host' shows what else is there";
    return out;
}

}  // namespace

// The figures are those of this moment, and may be others by the time a person reads them.
void advise_cleanup(Error& error, const IdleFigures& idle) {
    auto out = advice(error, idle);
    if (!out.empty() && !error.remedy.empty()) out += "; ";
    error.remedy.insert(0, out);
}

Error ErrorManager::handle(Error error, const ErrorContext& context) {
    if (!context.operation.empty()) error.operation = context.operation;
    if (context.region.valid()) error.region_id = context.region.str();
    if (error.time.micros == 0) error.time = now();
    ++total_;
    ++by_type_[error.type()];
    ++by_code_[error.code];
    ++since_configured_[error.code];
    if (recent_.size() == kRemembered) recent_.pop_front();
    recent_.push_back(
        {error, context.credentials.pid, context.credentials.uid, std::string(context.process)});
    return error;
}

}  // namespace snakepit::shm
