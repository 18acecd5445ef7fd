// SPDX-License-Identifier: MIT
// Processes that never ran, for judging segments.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "survey/verdict.h"

namespace snakepit::shm::test {

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::uint32_t kUser = 1234;
inline constexpr Timestamp kNow{1'800'000'000 * kSecond};

class MadeProcesses final : public survey::ProcessView {
  public:
    void add(std::int64_t pid, const char* name, std::int64_t age, bool tracker = false) {
        all_.push_back({pid, {kNow.micros - age * kSecond}, name, tracker});
    }
    std::optional<survey::ProcessFacts> find(std::int64_t pid) const override {
        const auto found = std::find_if(all_.begin(), all_.end(),
                                        [pid](const auto& process) { return process.pid == pid; });
        return found == all_.end() ? std::nullopt : std::optional(*found);
    }
    bool user_has_any(std::uint32_t uid) const override { return uid == kUser && !all_.empty(); }
    std::optional<std::int64_t> find_of_user(std::uint32_t, std::string_view name) const override {
        for (const auto& process : all_)
            if (process.name.starts_with(name)) return process.pid;
        return std::nullopt;
    }
    survey::PythonFacts python_of_user(std::uint32_t) const override {
        survey::PythonFacts out;
        for (const auto& process : all_) out.count(process);
        return out;
    }

  private:
    std::vector<survey::ProcessFacts> all_;
};

}  // namespace snakepit::shm::test
