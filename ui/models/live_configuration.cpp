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
    return describe_configuration(
        paths.config_file.empty() ? user_config_file() : paths.config_file, text, active);
}

Result<SettingChange> LiveConfiguration::set(const std::string& key, const std::string& literal) {
    SHM_ASSIGN(const auto paths, resolve_paths(instance_));
    const bool is_new = paths.config_file.empty();
    SettingChange change{is_new ? user_config_file() : paths.config_file};
    SHM_TRY(set_in_file(change.file, key, literal));
    // A manager reads the file that it was started with.
    if (is_new) return change;
    const auto manager = manager_->client();
    if (!manager) return change;
    SHM_TRY((*manager)->reload_config());
    change.applied = true;
    return change;
}

}  // namespace snakepit::shm::ui
