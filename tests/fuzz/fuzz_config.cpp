// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/config.h"

using namespace snakepit::shm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto config = Config::parse({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
    if (!config) {
        // A person must be told where and what to do, whatever the file holds.
        if (config.error().message.rfind("fuzz.toml:", 0) != 0 || config.error().remedy.empty())
            std::abort();
        return 0;
    }
    if (config->max_region_size > config->max_total_memory || config->cleanup_interval_ms < 10 ||
        config->shm_path.empty() || config->shm_path.front() != '/')
        std::abort();
    static_cast<void>(config->to_json());
    return 0;
}
