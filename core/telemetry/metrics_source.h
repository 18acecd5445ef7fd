// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "layout/registry_reader.h"
#include "telemetry/exposition.h"

namespace snakepit::shm {

// Reads the exported values from the registry file, so that a scrape costs the manager nothing. One
// thread at a time.
class MetricsSource {
  public:
    using UserName = std::function<std::string(std::uint32_t uid)>;

    // The errors are RegistryReader's.
    static Result<MetricsSource> open(const std::string& registry, UserName user_name);

    // Fills in everything except version, instance, backend and the manager's statistics. `labels`:
    // "user", "session", "worker".
    void read(ExpositionInput& out, const std::vector<std::string>& labels);
    // The manager's heartbeat is recent.
    bool fresh() const { return now().micros - reader_.heartbeat().micros < kFreshMicros; }
    RegistryReader& reader() { return reader_; }

  private:
    struct Held {
        std::uint32_t uid = 0;
        std::uint64_t bytes = 0;
        std::string session, worker;
    };
    MetricsSource(RegistryReader reader, UserName user_name)
        : reader_(std::move(reader)), user_name_(std::move(user_name)) {}
    void follow();
    LabelledUse use_by(const std::string& label) const;

    RegistryReader reader_;
    UserName user_name_;
    std::unordered_map<std::uint32_t, Held> regions_;  // by slot
};

}  // namespace snakepit::shm
