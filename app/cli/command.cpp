// SPDX-License-Identifier: MIT
#include "command.h"

namespace snakepit::shm::cli {

CLI::App* add_command(CLI::App& app, Context& context, const std::string& name,
                      const std::string& description) {
    auto* command = app.add_subcommand(name, description);
    command->add_flag("--json", context.json, "Print one JSON document, and errors as JSON too");
    command->add_option("--instance", context.instance,
                        "The instance (default: $SNAKEPIT_SHM_INSTANCE, else 'default')");
    return command;
}

CLI::App* add_hidden_command(CLI::App& app, Context& context, const std::string& name) {
    auto* command = add_command(app, context, name, "");
    command->group("");
    return command;
}

Result<std::unique_ptr<ManagerClient>> connect(const Context& context, bool lease) {
    ConnectOptions options;
    options.instance = context.instance;
    options.lease = lease;
    return ManagerClient::connect(options);
}

Result<std::vector<RegionId>> parse_ids(const std::vector<std::string>& words) {
    std::vector<RegionId> out;
    for (const auto& word : words) {
        SHM_ASSIGN(const auto id, RegionId::parse(word));
        out.push_back(id);
    }
    return out;
}

int exit_status_of(const Error& error) {
    switch (error.type()) {
        case ErrorType::no_manager:
            return kNoManager;
        case ErrorType::permission_denied:
            return kDenied;
        case ErrorType::invalid_argument:
            // A broken configuration file is no matter of the words on the command line.
            return error.code == ErrorCode::configuration_invalid ? kFailed : kWrongWords;
        default:
            return kFailed;
    }
}

}  // namespace snakepit::shm::cli
