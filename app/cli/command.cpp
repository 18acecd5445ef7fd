// SPDX-License-Identifier: MIT
#include "command.h"

#include <QCoreApplication>

namespace snakepit::shm::cli {

Result<std::unique_ptr<ManagerClient>> connect(const Context& context, bool lease) {
    ConnectOptions options;
    options.instance = context.instance;
    options.lease = lease;
    options.timeout_ms = context.patience_ms;
    return ManagerClient::connect(options);
}

int exit_status_of(const Error& error) {
    switch (error.type()) {
        case ErrorType::no_manager:
            return kNoManager;
        case ErrorType::permission_denied:
            return kDenied;
        case ErrorType::invalid_argument:
            // A broken configuration file is not about the words on the command line, and nor is
            // what the manager does not have. The size and the options of allocate are checked by
            // the manager.
            if (error.code == ErrorCode::configuration_invalid) return kFailed;
            if (error.code == ErrorCode::invalid_argument &&
                error.process_id != QCoreApplication::applicationPid() &&
                error.operation != "allocate")
                return kFailed;
            return kUsageError;
        default:
            return kFailed;
    }
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += out.empty() ? word : " " + word;
    return out;
}

}  // namespace snakepit::shm::cli
