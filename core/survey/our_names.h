// SPDX-License-Identifier: MIT
// Identifies the instance of a segment by its name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace snakepit::shm::survey {

// The instance that a segment's or mark's name refers to.
struct OurName {
    std::string instance;
    std::string tag;  // of its registry, 8 digits; empty: of an earlier release's mark
};
std::optional<OurName> our_name(std::string_view name);

struct Registry {
    enum class State : std::uint8_t { gone, stands, managed, not_seen } state = State::gone;
    std::string path;  // empty: unknown
};

// A sentence each.
struct OurAccount {
    std::string finding, advice;
};
// About a segment with such a name that belongs to the user `owner`. `registry`: null if no manager
// left a mark.
OurAccount account_of(const OurName& own, const Registry* registry, const std::string& owner);

// Registries by instance name, and by name and tag ("name@12345678").
using Instances = std::map<std::string, Registry, std::less<>>;

}  // namespace snakepit::shm::survey
