// SPDX-License-Identifier: MIT
// The keys of the configuration that have one value: how each is read and printed.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/config_sections.h"

namespace snakepit::shm {

// One key of the file. `live`: a change takes effect without a restart.
struct ConfigKey {
    std::string_view name;
    Status (*read)(Config&, const toml::node&, const ConfigPlace&);
    void (*print)(const Config&, std::string&);  // null: it is checked and not kept
    bool live;
};

std::span<const ConfigKey> config_keys();          // of [shared_memory]
std::span<const ConfigKey> linux_config_keys();    // of [shared_memory.platform_options.linux]
std::span<const ConfigKey> windows_config_keys();  // and .windows

}  // namespace snakepit::shm
