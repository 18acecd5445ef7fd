// SPDX-License-Identifier: MIT
// LOCAL STANDIN, never committed
#include "manager/config.h"
namespace snakepit::shm {
Result<Config> Config::load(const std::string&) { return Config{}; }
Result<Config> Config::parse(std::string_view, std::string_view) { return Config{}; }
std::string Config::to_json() const { return "{}"; }
std::vector<std::string> Config::needs_restart(const Config&) const { return {}; }
}
