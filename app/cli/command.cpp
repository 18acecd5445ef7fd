// SPDX-License-Identifier: MIT
#include "command.h"

#include <fmt/format.h>

#include <QCoreApplication>

#include "base/nearest.h"

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

std::vector<std::string_view> command_names(const CLI::App& app) {
    std::vector<std::string_view> out;
    for (const auto* command :
         app.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); }))
        out.push_back(command->get_name());
    return out;
}

Error unknown_command(const CLI::App& app, const std::string& word) {
    const auto near = nearest(word, command_names(app));
    auto error = make_error(
        ErrorCode::invalid_argument, fmt::format("unknown command '{}'", word),
        near.empty() ? "see snakepit-shm help" : fmt::format("did you mean '{}'?", near));
    if (app.get_parent()) error.operation = app.get_name();
    return error;
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
            // A broken configuration file is no matter of the words on the command line, and nor
            // is what the manager does not have; of allocate it is the manager that checks the
            // words.
            if (error.code == ErrorCode::configuration_invalid) return kFailed;
            if (error.code == ErrorCode::invalid_argument &&
                error.process_id != QCoreApplication::applicationPid() &&
                error.operation != "allocate")
                return kFailed;
            return kWrongWords;
        default:
            return kFailed;
    }
}

}  // namespace snakepit::shm::cli
