// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_configuration.h"

#include "base/paths.h"
#include "config/config_edit.h"

namespace snakepit::shm::ui {

Result<Configuration> LiveConfiguration::read() {
    SHM_ASSIGN(const auto paths, resolve_paths(instance_));
    SHM_ASSIGN(const auto text, read_configuration(paths.config_file));
    std::string active;  // without a manager none is known
    if (const auto manager = manager_->client())
        if (auto answer = (*manager)->report("config")) active = std::move(*answer);
    const bool exists = !paths.config_file.empty();
    SHM_ASSIGN(auto out, describe_configuration(exists ? paths.config_file : user_config_file(),
                                                text, active));
    out.exists = exists;
    return out;
}

Result<SettingChange> LiveConfiguration::set(const std::string& key, const std::string& literal) {
    SHM_ASSIGN(const auto paths, resolve_paths(instance_));
    const bool is_new = paths.config_file.empty();
    SettingChange change{is_new ? user_config_file() : paths.config_file};
    SHM_TRY(set_in_file(change.file, key, literal));
    // A manager reads the file that it was started with.
    if (is_new) return change;
    const auto manager = manager_->client();
    if (!manager) {
        if (manager.error().type() != ErrorType::no_manager) change.reason = manager.error();
        return change;
    }
    const auto reloaded = (*manager)->reload_config();
    change.applied = reloaded.has_value();
    if (!reloaded) change.reason = reloaded.error();
    return change;
}

}  // namespace snakepit::shm::ui
